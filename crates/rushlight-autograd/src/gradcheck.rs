use crate::engine::{GradOptions, grad_with};
use crate::mode::no_grad;
use crate::tensor::Tensor;
use rushlight_array::random::Generator;
use rushlight_array::{Array, DType};
use std::fmt;

/// A gradient that does not agree with finite differences.
#[derive(Clone, Debug)]
pub struct Gradcheck {
    /// The input whose gradient is wrong.
    pub input: usize,
    /// The element of that input, or `None` if a random direction was checked.
    pub element: Option<usize>,
    /// The derivative by central differences.
    pub numerical: f64,
    /// The derivative by the backward pass.
    pub analytical: f64,
}

impl fmt::Display for Gradcheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gradcheck: input {}", self.input)?;
        if let Some(element) = self.element {
            write!(f, ", element {element}")?;
        }
        write!(f, ": numerical {:.9}, analytical {:.9}", self.numerical, self.analytical)
    }
}

impl std::error::Error for Gradcheck {}

/// The step of the central differences, and the tolerances: PyTorch's, but a looser absolute one, since
/// whole directions are summed.
const EPS: f64 = 1e-6;
const RTOL: f64 = 1e-3;
const ATOL: f64 = 2e-5;

/// Inputs with at most this many elements are checked one by one, larger ones along random directions.
const ELEMENTWISE: usize = 12;

/// Compares the gradients of `f` with central differences at the given inputs.
///
/// The result of `f`, of any shape, is projected on a random cotangent, so that each element of the
/// Jacobian counts. Every input that requires a gradient is checked: element by element if it is small,
/// else along random directions.
///
/// A leaf is moved in place and put back, so a closure may also reach its leaves by capture, as a module
/// does its parameters: `gradcheck(|_| model.forward(&x), &model.parameters())`.
///
/// ```
/// use rushlight_autograd::array::DType;
/// use rushlight_autograd::{gradcheck, tensor_as};
/// let x = tensor_as([0.5, 2.0], DType::F64).requires_grad_();
/// gradcheck(|x| x[0].exp(), &[x]).unwrap();
/// ```
///
/// # Errors
/// The first derivative that differs.
///
/// # Panics
/// If no input requires a gradient, or one that does is not `f64`: central differences need it.
#[track_caller]
pub fn gradcheck(f: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor]) -> Result<(), Gradcheck> {
    let wanted: Vec<usize> = (0..inputs.len()).filter(|&i| inputs[i].requires_grad()).collect();
    assert!(!wanted.is_empty(), "gradcheck: none of the {} inputs requires a gradient", inputs.len());
    for &i in &wanted {
        let dtype = inputs[i].dtype();
        assert!(
            dtype == DType::F64,
            "gradcheck: input {i} is {}; use float64 for inputs with a gradient",
            dtype.name()
        );
    }
    let leaves: Vec<Tensor> = inputs.iter().map(leaf).collect();
    let output = f(&leaves);
    let generator = Generator::new(0x6772_6164);
    let draw = |like: &Array| Array::normal(like.shape(), 0.0, 1.0, DType::F64, &generator);
    let cotangent = draw(&output.array());
    if !output.requires_grad() {
        // A constant function: its derivative must be zero, and nothing can disagree but a value.
        return check_constant(&f, &leaves, &wanted, &output);
    }
    let project = |y: &Tensor| y.array().cast(DType::F64).mul(&cotangent).sum().item::<f64>();
    let targets: Vec<&Tensor> = wanted.iter().map(|&i| &leaves[i]).collect();
    let options = GradOptions {
        allow_unused: true,
        grad_outputs: vec![cotangent.clone().into()],
        ..GradOptions::default()
    };
    let grads = grad_with(&[&output], &targets, &options);
    for (&i, grad) in wanted.iter().zip(&grads) {
        let (grad, base) = (grad.array(), leaves[i].array().contiguous());
        let along = |direction: &Array, scale: f64| {
            let _moved = Moved::to(&leaves[i], &base.add(&direction.scale(scale)));
            project(&f(&leaves))
        };
        let check = |element: Option<usize>, direction: &Array| {
            let numerical = (along(direction, EPS) - along(direction, -EPS)) / (2.0 * EPS);
            let analytical = grad.mul(direction).sum().item::<f64>();
            let fits = (numerical - analytical).abs() <= ATOL + RTOL * numerical.abs().max(analytical.abs());
            if fits { Ok(()) } else { Err(Gradcheck { input: i, element, numerical, analytical }) }
        };
        if base.numel() <= ELEMENTWISE {
            for element in 0..base.numel() {
                let mut direction = base.zeros_like();
                direction.make_mut::<f64>()[element] = 1.0;
                check(Some(element), &direction)?;
            }
        } else {
            for _ in 0..3 {
                check(None, &draw(&base))?;
            }
        }
    }
    Ok(())
}

/// The leaf itself, or one with the values of a computed input.
fn leaf(input: &Tensor) -> Tensor {
    if input.is_leaf() { input.clone() } else { Tensor::new_leaf(input.array(), true) }
}

/// A leaf with other values, until this is dropped.
struct Moved<'a> {
    leaf: &'a Tensor,
    before: Array,
}

impl<'a> Moved<'a> {
    fn to(leaf: &'a Tensor, values: &Array) -> Self {
        let before = leaf.array();
        no_grad(|| leaf.set(values));
        Moved { leaf, before }
    }
}

impl Drop for Moved<'_> {
    fn drop(&mut self) {
        no_grad(|| self.leaf.set(&self.before));
    }
}

fn check_constant(
    f: &impl Fn(&[Tensor]) -> Tensor,
    leaves: &[Tensor],
    wanted: &[usize],
    output: &Tensor,
) -> Result<(), Gradcheck> {
    for &i in wanted {
        let _moved = Moved::to(&leaves[i], &leaves[i].array().offset(EPS));
        let [before, after] = [output, &f(leaves)].map(|y| y.array().cast(DType::F64).sum().item::<f64>());
        let numerical = (after - before) / EPS;
        if numerical.abs() > ATOL {
            return Err(Gradcheck { input: i, element: None, numerical, analytical: 0.0 });
        }
    }
    Ok(())
}

/// Compares the second derivatives of `f` with central differences of its first: [`gradcheck`] of the
/// gradients of `f`, as functions of the inputs and of a random cotangent.
///
/// # Errors
/// The first derivative that differs; the cotangent is counted as the last input.
///
/// # Panics
/// As [`gradcheck`].
#[track_caller]
pub fn gradgradcheck(f: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor]) -> Result<(), Gradcheck> {
    let mut all: Vec<Tensor> = inputs.iter().map(leaf).collect();
    let output = f(&all);
    if !output.requires_grad() {
        return Ok(());
    }
    let generator = Generator::new(0x6767_7261);
    let cotangent = Array::normal(output.shape(), 0.0, 1.0, DType::F64, &generator);
    all.push(Tensor::constant(cotangent).requires_grad_());
    let first = |x: &[Tensor]| -> Tensor {
        let (cotangent, x) = x.split_last().expect("the cotangent is last");
        let targets: Vec<&Tensor> = x.iter().filter(|t| t.requires_grad()).collect();
        let options = GradOptions {
            create_graph: true,
            allow_unused: true,
            grad_outputs: vec![cotangent.clone()],
            ..GradOptions::default()
        };
        let flat: Vec<Tensor> =
            grad_with(&[&f(x)], &targets, &options).iter().map(|g| g.reshape([-1])).collect();
        Tensor::cat(&flat.iter().collect::<Vec<_>>(), 0)
    };
    gradcheck(first, &all)
}
