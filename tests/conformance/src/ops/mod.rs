//! One arm an operation, from PyTorch's name and arguments to rushlight's call. They are grouped as the operations are.

mod activation;
mod arithmetic;
mod arrange;
mod attention;
mod diagonal;
mod indexing;
mod join;
mod layout;
mod linalg;
mod losses;
mod norm;
mod product;
mod reductions;
mod sorting;
mod split;
mod unary;
mod window;

use crate::args::{Args, Misfit, Py};
use rushlight::Tensor;

/// Calls an operation. All arguments must be taken, else the call counts as misfit.
pub type Call = fn(&mut Args) -> Result<Out, Misfit>;

/// Calls the in-place form: the first argument is the tensor that is changed, and is taken already.
pub type InPlace = fn(&mut Tensor, &mut Args) -> Result<(), Misfit>;

/// What an operation gives.
#[derive(Clone, Debug)]
pub struct Out(pub Vec<Py>);

/// One tensor.
impl From<Tensor> for Out {
    fn from(x: Tensor) -> Out {
        Out(vec![Py::Tensor(x)])
    }
}

impl From<(Tensor, Tensor)> for Out {
    fn from((x, y): (Tensor, Tensor)) -> Out {
        Out(vec![Py::Tensor(x), Py::Tensor(y)])
    }
}

impl From<(Tensor, Tensor, Tensor)> for Out {
    fn from((x, y, z): (Tensor, Tensor, Tensor)) -> Out {
        Out(vec![Py::Tensor(x), Py::Tensor(y), Py::Tensor(z)])
    }
}

impl From<Vec<Tensor>> for Out {
    fn from(list: Vec<Tensor>) -> Out {
        Out(list.into_iter().map(Py::Tensor).collect())
    }
}

impl From<bool> for Out {
    fn from(x: bool) -> Out {
        Out(vec![Py::Bool(x)])
    }
}

impl From<f64> for Out {
    fn from(x: f64) -> Out {
        Out(vec![Py::Float(x)])
    }
}

/// The result as what an arm gives: `ok(x.abs())`.
pub(crate) fn ok(out: impl Into<Out>) -> Result<Out, Misfit> {
    Ok(out.into())
}

/// The arms of a kind of operations.
pub(crate) struct Arms {
    pub(crate) calls: &'static [(&'static str, Call)],
    pub(crate) in_place: &'static [(&'static str, InPlace)],
}

const ALL: &[Arms] = &[
    activation::ARMS,
    arithmetic::ARMS,
    arrange::ARMS,
    attention::ARMS,
    diagonal::ARMS,
    indexing::ARMS,
    join::ARMS,
    layout::ARMS,
    linalg::ARMS,
    losses::ARMS,
    norm::ARMS,
    product::ARMS,
    reductions::ARMS,
    sorting::ARMS,
    split::ARMS,
    unary::ARMS,
    window::ARMS,
];

/// The arm of an operation by PyTorch's name.
pub fn call(op: &str) -> Option<Call> {
    ALL.iter().flat_map(|arms| arms.calls).find(|(name, _)| *name == op).map(|(_, call)| *call)
}

/// The arm of an in-place form by the name of the operation, without the `_`.
pub fn in_place(op: &str) -> Option<InPlace> {
    ALL.iter().flat_map(|arms| arms.in_place).find(|(name, _)| *name == op).map(|(_, call)| *call)
}
