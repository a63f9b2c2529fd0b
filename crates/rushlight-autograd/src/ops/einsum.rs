//! Einstein's summation.

use crate::autocast::Choice;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::fail;

/// A letter, or a dim that `...` stands for, by its distance from the last of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Label {
    Hidden(usize),
    Letter(char),
}

/// What stands between two commas: the letters before and behind `...`, if it is there.
struct Term {
    before: Vec<char>,
    behind: Option<Vec<char>>,
}

impl Term {
    #[track_caller]
    fn parse(text: &str, equation: &str) -> Term {
        let mut parts = text.splitn(2, "...");
        let letters = |part: &str| -> Result<Vec<char>, char> {
            let letters = part.chars().filter(|c| !c.is_whitespace());
            letters.map(|c| if c.is_ascii_alphabetic() { Ok(c) } else { Err(c) }).collect()
        };
        let before = letters(parts.next().unwrap_or_default());
        let behind = parts.next().map(letters).transpose();
        match (before, behind) {
            (Ok(before), Ok(behind)) => Term { before, behind },
            (Err(c), _) | (_, Err(c)) => {
                fail!(
                    "einsum: {c:?} in {equation:?}; only letters, one `...` for each operand, `,` and `->` count"
                )
            }
        }
    }

    /// The labels of the dims, where `...` stands for so many.
    fn labels(&self, hidden: usize) -> Vec<Label> {
        let letters = |letters: &[char]| letters.iter().map(|&c| Label::Letter(c)).collect::<Vec<Label>>();
        let mut labels = letters(&self.before);
        if let Some(behind) = &self.behind {
            labels.extend((0..hidden).rev().map(Label::Hidden));
            labels.extend(letters(behind));
        }
        labels
    }

    fn letters(&self) -> usize {
        self.before.len() + self.behind.as_ref().map_or(0, Vec::len)
    }
}

/// A tensor whose dims have distinct labels.
struct Labelled {
    x: Tensor,
    labels: Vec<Label>,
}

impl Labelled {
    /// Of an operand: a label that stands twice takes the diagonal.
    #[track_caller]
    fn new(x: &Tensor, mut labels: Vec<Label>, equation: &str) -> Labelled {
        let mut x = x.clone();
        while let Some((i, j)) = twice(&labels) {
            let (m, n) = (x.shape()[i], x.shape()[j]);
            if m != n {
                fail!("einsum: a letter stands for dims of {m} and {n} of one operand in {equation:?}");
            }
            let rest: Vec<usize> = (0..labels.len()).filter(|&d| d != i && d != j).collect();
            let order: Vec<isize> = rest.iter().chain(&[i, j]).map(|&d| d as isize).collect();
            let flat: Vec<usize> = rest.iter().map(|&d| x.shape()[d]).chain([n * n]).collect();
            x = x.permute(&order).reshape(flat.as_slice()).step(-1, 0, n, n + 1);
            labels = rest.iter().chain(&[i]).map(|&d| labels[d]).collect();
        }
        Labelled { x, labels }
    }

    fn size(&self, label: Label) -> Option<usize> {
        self.labels.iter().position(|&own| own == label).map(|i| self.x.shape()[i])
    }

    /// Without the labels that nobody needs, which are summed over.
    #[track_caller]
    fn keep(self, needed: impl Fn(Label) -> bool) -> Labelled {
        let (kept, summed): (Vec<usize>, Vec<usize>) =
            (0..self.labels.len()).partition(|&i| needed(self.labels[i]));
        if summed.is_empty() {
            return self;
        }
        let dims: Vec<isize> = summed.iter().map(|&i| i as isize).collect();
        let labels = kept.iter().map(|&i| self.labels[i]).collect();
        Labelled { x: self.x.sum_dim(dims.as_slice(), false), labels }
    }

    /// The dims in an order of labels; those it has not are new dims of size 1.
    #[track_caller]
    fn in_order(&self, order: &[Label]) -> Tensor {
        let place = |label: &Label| self.labels.iter().position(|own| own == label);
        let dims: Vec<isize> = order.iter().filter_map(place).map(|i| i as isize).collect();
        let shape: Vec<usize> = order.iter().map(|&label| self.size(label).unwrap_or(1)).collect();
        self.x.permute(&dims).reshape(shape.as_slice())
    }

    /// The sum of products over the labels of both that nobody needs.
    #[track_caller]
    fn times(self, other: Labelled, needed: &dyn Fn(Label) -> bool) -> Labelled {
        let left = self.keep(|label| needed(label) || other.labels.contains(&label));
        let other = other.keep(|label| needed(label) || left.labels.contains(&label));
        let both = |label: &&Label| other.labels.contains(label);
        let summed: Vec<Label> =
            left.labels.iter().filter(both).filter(|label| !needed(**label)).copied().collect();
        // A dim of size 1 meets any size: the other side is summed before.
        let (a, b) = (left.whole(&summed, &other), other.whole(&summed, &left));
        let batch: Vec<Label> = a
            .labels
            .iter()
            .filter(|label| b.labels.contains(label) && !summed.contains(label))
            .copied()
            .collect();
        let own = |x: &Labelled| -> Vec<Label> {
            x.labels
                .iter()
                .filter(|label| !batch.contains(label) && !summed.contains(label))
                .copied()
                .collect()
        };
        let (rows, columns) = (own(&a), own(&b));
        let labels: Vec<Label> = [&batch[..], &rows, &columns].concat();
        if summed.is_empty() {
            return Labelled { x: a.in_order(&labels).mul(&b.in_order(&labels)), labels };
        }
        let sizes = |labels: &[Label]| -> Vec<usize> {
            let size = |&label: &Label| match (a.size(label), b.size(label)) {
                (Some(1), Some(n)) | (Some(n), _) | (None, Some(n)) => n,
                (None, None) => 1,
            };
            labels.iter().map(size).collect()
        };
        let count = |labels: &[Label]| sizes(labels).iter().product::<usize>();
        let matrices = |x: &Labelled, first: &[Label], last: &[Label]| {
            let order = [&batch[..], first, last].concat();
            let x = x.in_order(&order).expand(sizes(&order).as_slice());
            match batch.is_empty() {
                true => x.reshape([count(first), count(last)]),
                false => x.reshape([count(&batch), count(first), count(last)]),
            }
        };
        let product = matrices(&a, &rows, &summed).matmul(&matrices(&b, &summed, &columns));
        Labelled { x: product.reshape(sizes(&labels).as_slice()), labels }
    }

    /// With the dims summed that have size 1 in the other.
    #[track_caller]
    fn whole(&self, summed: &[Label], other: &Labelled) -> Labelled {
        let single = |label: Label| {
            summed.contains(&label) && other.size(label) == Some(1) && self.size(label) != Some(1)
        };
        let dims: Vec<isize> =
            (0..self.labels.len()).filter(|&i| single(self.labels[i])).map(|i| i as isize).collect();
        let x = if dims.is_empty() { self.x.clone() } else { self.x.sum_dim(dims.as_slice(), true) };
        Labelled { x, labels: self.labels.clone() }
    }
}

/// The first two places of a label that stands twice.
fn twice(labels: &[Label]) -> Option<(usize, usize)> {
    (0..labels.len()).find_map(|j| labels[..j].iter().position(|label| *label == labels[j]).map(|i| (i, j)))
}

/// Sums of products by Einstein's convention: each dim has a letter, equal letters run together, and those that are not in
/// the result are summed over.
///
/// The equation is `terms -> result`, with a term for each operand. `...` stands for all dims without a letter, which
/// broadcast. A letter that stands twice in a term takes the diagonal; a dim of size 1 meets any size. Without `->` the
/// result has the dims of `...` and then the letters that stand once, in alphabetical order, capitals first. Operands are
/// multiplied from the left to the right.
///
/// ```
/// use rushlight_autograd::ops::einsum;
/// use rushlight_autograd::tensor;
/// let (a, b) = (tensor([[1, 2], [3, 4]]), tensor([[5, 6], [7, 8]]));
/// assert!(einsum("ik,kj->ij", &[&a, &b]).equal(&a.matmul(&b)));
/// assert_eq!(einsum("ii", &[&a]).item(), 5.0);
/// assert_eq!(einsum("ij->j", &[&a]).to_vec::<i64>(), [4, 6]);
/// ```
///
/// # Panics
/// If the equation is no such text, does not fit the operands' dims, or a letter has two sizes; if products are summed of
/// different dtypes, or of bools.
#[track_caller]
pub fn einsum(equation: &str, operands: &[&Tensor]) -> Tensor {
    let (inputs, output) = match equation.split_once("->") {
        Some((inputs, output)) => (inputs, Some(Term::parse(output, equation))),
        None => (equation, None),
    };
    let texts: Vec<&str> = inputs.split(',').collect();
    if texts.len() != operands.len() {
        fail!("einsum: {equation:?} has {} terms for {} operands", texts.len(), operands.len());
    }
    let choice = Choice::of("einsum", operands);
    let mut terms = Vec::with_capacity(texts.len());
    for text in texts {
        terms.push(Term::parse(text, equation));
    }
    let mut labelled = Vec::with_capacity(terms.len());
    let mut most = 0;
    for (i, (term, x)) in terms.iter().zip(operands).enumerate() {
        let hidden = x.dim().checked_sub(term.letters());
        let Some(hidden) = hidden.filter(|&hidden| hidden == 0 || term.behind.is_some()) else {
            fail!(
                "einsum: operand {i} of shape {:?} has {} dims, its term in {equation:?} {} letters",
                x.shape(),
                x.dim(),
                term.letters()
            );
        };
        most = most.max(hidden);
        labelled.push(Labelled::new(&choice.cast(x), term.labels(hidden), equation));
    }
    let result = result_labels(output, most, &labelled, equation, &terms);
    check_sizes(&labelled, equation);
    let mut rest = labelled.into_iter();
    let Some(mut product) = rest.next() else { fail!("einsum: there is no operand") };
    while let Some(next) = rest.next() {
        let later: Vec<Label> = rest.as_slice().iter().flat_map(|x| x.labels.iter().copied()).collect();
        product = product.times(next, &|label| result.contains(&label) || later.contains(&label));
    }
    product.keep(|label| result.contains(&label)).in_order(&result)
}

#[track_caller]
fn result_labels(
    output: Option<Term>,
    hidden: usize,
    operands: &[Labelled],
    equation: &str,
    terms: &[Term],
) -> Vec<Label> {
    if let Some(output) = output {
        let labels = output.labels(hidden);
        let known = |label: &Label| operands.iter().any(|x| x.labels.contains(label));
        if twice(&labels).is_some() || !labels.iter().all(known) {
            fail!("einsum: the result of {equation:?} must have letters of the operands, each once");
        }
        return labels;
    }
    let letters: Vec<char> =
        terms.iter().flat_map(|t| t.before.iter().chain(t.behind.iter().flatten())).copied().collect();
    // In alphabetical order, capitals first.
    let once = ('A'..='z').filter(|c| letters.iter().filter(|other| *other == c).count() == 1);
    (0..hidden).rev().map(Label::Hidden).chain(once.map(Label::Letter)).collect()
}

/// Checks that each label has one size, but for 1.
#[track_caller]
fn check_sizes(operands: &[Labelled], equation: &str) {
    let mut known: Vec<(Label, usize)> = Vec::new();
    for x in operands {
        for (&label, &size) in x.labels.iter().zip(x.x.shape().iter()) {
            match known.iter_mut().find(|(other, _)| *other == label) {
                Some((_, other)) if *other == 1 => *other = size,
                Some((_, other)) if *other != size && size != 1 => {
                    let name = match label {
                        Label::Letter(c) => format!("`{c}`"),
                        Label::Hidden(_) => "a dim of `...`".to_string(),
                    };
                    fail!(
                        "einsum: {name} in {equation:?} stands for {other} and {size}; sizes must be equal or 1"
                    );
                }
                Some(_) => {}
                None => known.push((label, size)),
            }
        }
    }
}

pub(crate) const TABLE: &[OpInfo] = &[OpInfo::composed("einsum", "torch.einsum", |draw| {
    let (i, j, k, l) = (draw.size(), draw.size(), draw.size(), draw.size());
    let (equation, shapes): (&str, Vec<Vec<usize>>) = match draw.below(7) {
        0 => ("ik,kj->ij", vec![vec![i, k], vec![k, j]]),
        1 => ("iij->j", vec![vec![i, i, j]]),
        2 => ("b...k, kj -> ...bj", vec![vec![i, l, k], vec![k, j]]),
        3 => ("bik,bkj,bj", vec![vec![l, i, k], vec![l, k, j], vec![1, j]]),
        4 => ("i,Aj", vec![vec![i], vec![k, j]]),
        5 => ("...i,...i->...", vec![vec![j, 1, i], vec![k, i]]),
        _ => ("ij,ij,kj->k", vec![vec![i, j], vec![i, 1], vec![k, j]]),
    };
    let inputs = shapes.iter().map(|shape| draw.leaf(shape, Domain::Any)).collect();
    Sample::new(inputs, move |x| einsum(equation, &x.iter().collect::<Vec<_>>()))
})
.rejects(|| {
    vec![
        Reject::new("einsum: \"ij,jk\" has 2 terms for 1 operands", || {
            einsum("ij,jk", &[&floats([2, 2])]);
        }),
        Reject::new("einsum: operand 0 of shape [2, 2] has 2 dims, its term in \"i\" 1 letters", || {
            einsum("i", &[&floats([2, 2])]);
        }),
        Reject::new("einsum: '1' in \"i1\"; only letters", || {
            einsum("i1", &[&floats([2, 2])]);
        }),
        Reject::new("einsum: `j` in \"ij,jk\" stands for 2 and 3; sizes must be equal or 1", || {
            einsum("ij,jk", &[&floats([2, 2]), &floats([3, 2])]);
        }),
        Reject::new("einsum: the result of \"ij->k\" must have letters of the operands, each once", || {
            einsum("ij->k", &[&floats([2, 2])]);
        }),
    ]
})];
