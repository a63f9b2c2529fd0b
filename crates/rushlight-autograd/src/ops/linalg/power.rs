//! Products of several matrices.

use super::cholesky::square;
use super::lu::invertible;
use super::{expanded, identity, inv};
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::fail;

/// Square matrices to a whole power, by repeated squaring; negative powers are those of the inverse.
///
/// # Panics
/// If the matrices are not square or of bools, or, for a negative power, singular or not of `f32` or `f64`.
#[track_caller]
pub fn matrix_power(a: &Tensor, n: i64) -> Tensor {
    let shape = a.shape();
    if shape.len() < 2 || shape[shape.len() - 1] != shape[shape.len() - 2] {
        fail!("linalg.matrix_power: the matrices of shape {shape:?} are not square");
    }
    let size = shape[shape.len() - 1];
    if n == 0 {
        return expanded(&identity(a, size), &shape[..shape.len() - 2]).contiguous();
    }
    let mut square = if n < 0 { inv(a) } else { a.clone() };
    let mut rest = n.unsigned_abs();
    let mut power: Option<Tensor> = None;
    loop {
        if rest & 1 == 1 {
            power = Some(match power {
                Some(power) => power.matmul(&square),
                None => square.clone(),
            });
        }
        rest >>= 1;
        if rest == 0 {
            break;
        }
        square = square.matmul(&square);
    }
    match power {
        Some(power) => power,
        None => fail!("linalg.matrix_power: {n} has no binary digit"),
    }
}

/// The product of two or more matrices, in the order that takes the fewest multiplications. The first and the last may be
/// vectors.
///
/// ```
/// use rushlight_autograd::ops::linalg;
/// use rushlight_autograd::tensor;
/// let (a, b) = (tensor([[1, 2], [3, 4]]), tensor([1, 1]));
/// assert_eq!(linalg::multi_dot(&[&b, &a, &b]).item(), 10.0);
/// ```
///
/// # Panics
/// If there are fewer than two, one is neither matrix nor vector, or sizes or dtypes do not fit.
#[track_caller]
pub fn multi_dot(tensors: &[&Tensor]) -> Tensor {
    let count = tensors.len();
    if count < 2 {
        fail!("linalg.multi_dot: {count} tensors; expected at least 2");
    }
    let mut matrices = Vec::with_capacity(count);
    for (i, x) in tensors.iter().enumerate() {
        matrices.push(match (x.dim(), i) {
            (2, _) => Tensor::clone(x),
            (1, 0) => x.unsqueeze(0),
            (1, _) if i + 1 == count => x.unsqueeze(1),
            _ => fail!(
                "linalg.multi_dot: tensor {i} has shape {:?}; expected a matrix, or at the ends a vector",
                x.shape()
            ),
        });
    }
    for (i, pair) in matrices.windows(2).enumerate() {
        let (a, b) = (pair[0].shape(), pair[1].shape());
        if a[1] != b[0] {
            fail!(
                "linalg.multi_dot: tensors {i} and {} do not fit: {} columns and {} rows",
                i + 1,
                a[1],
                b[0]
            );
        }
        super::super::matmul::check_joined("linalg.multi_dot", &pair[0], &pair[1]);
    }
    let sizes: Vec<f64> =
        matrices.iter().map(|x| x.shape()[0] as f64).chain([matrices[count - 1].shape()[1] as f64]).collect();
    let product = chain(&matrices, &splits(&sizes), 0, count - 1);
    let product = if tensors[0].dim() == 1 { product.squeeze_dim(0) } else { product };
    if tensors[count - 1].dim() == 1 { product.squeeze_dim(-1) } else { product }
}

/// Where to cut each run of matrices: the classical dynamic programme (Cormen et al., "Introduction to Algorithms").
fn splits(sizes: &[f64]) -> Vec<Vec<usize>> {
    let n = sizes.len() - 1;
    let (mut cost, mut split) = (vec![vec![0.0; n]; n], vec![vec![0; n]; n]);
    for length in 1..n {
        for i in 0..n - length {
            let j = i + length;
            cost[i][j] = f64::INFINITY;
            for k in i..j {
                let own = cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1];
                if own < cost[i][j] {
                    (cost[i][j], split[i][j]) = (own, k);
                }
            }
        }
    }
    split
}

#[track_caller]
fn chain(matrices: &[Tensor], split: &[Vec<usize>], i: usize, j: usize) -> Tensor {
    if i == j {
        return matrices[i].clone();
    }
    let k = split[i][j];
    chain(matrices, split, i, k).matmul(&chain(matrices, split, k + 1, j))
}

impl Tensor {
    /// [`matrix_power`](crate::ops::linalg::matrix_power) as a method.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn matrix_power(&self, n: i64) -> Tensor {
        matrix_power(self, n)
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("linalg::matrix_power", "torch.linalg.matrix_power", |draw| {
        let shape = square(draw);
        let n = [3, -2, 1, 5, -1][draw.below(5)];
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            matrix_power(&(invertible(&x[0]) * 0.3), n)
        })
    })
    .rejects(|| {
        vec![Reject::new("linalg.matrix_power: the matrices of shape [2, 3] are not square", || {
            matrix_power(&floats([2, 3]), 2);
        })]
    }),
    OpInfo::composed("linalg::multi_dot", "torch.linalg.multi_dot", |draw| {
        let sizes: Vec<usize> = (0..5).map(|_| draw.size()).collect();
        let mut shapes: Vec<Vec<usize>> = sizes.windows(2).map(<[usize]>::to_vec).collect();
        if draw.coin() {
            shapes[0].remove(0);
        }
        if draw.coin() {
            shapes[3].pop();
        }
        let inputs = shapes.iter().map(|shape| draw.leaf(shape, Domain::Any)).collect();
        Sample::new(inputs, |x| multi_dot(&x.iter().collect::<Vec<_>>()))
    })
    .rejects(|| {
        vec![
            Reject::new("linalg.multi_dot: 1 tensors; expected at least 2", || {
                multi_dot(&[&integers()]);
            }),
            Reject::new("linalg.multi_dot: tensors 0 and 1 do not fit: 3 columns and 2 rows", || {
                multi_dot(&[&floats([2, 3]), &floats([2, 3])]);
            }),
        ]
    }),
];
