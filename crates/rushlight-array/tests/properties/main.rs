//! Every operation against an independent model that works element by element, on random shapes
//! (with sizes 0 and 1, and none at all), dtypes and memory layouts.

mod elementwise;
mod index;
mod linalg;
mod matmul;
mod model;
mod reduce;
mod view;
