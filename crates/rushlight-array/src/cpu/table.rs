//! Tables of operations.
//!
//! A row is an operation with a kernel for each type. Of a row follow a function of its name, which makes a [`Named`], and
//! an arm of the match that finds the kernel of a value of the enum. Array methods take the first, so that a program holds
//! the kernels of those operations alone that it names; the second is for [`Backend`](crate::Backend).

use crate::dtype::DType;
use std::fmt::Debug;

/// An operation with the CPU's kernel for it.
#[derive(Clone, Copy)]
pub(crate) struct Named<Op, Kernel> {
    pub(crate) op: Op,
    /// Gets the operation, too, for its numbers.
    pub(crate) on_cpu: Kernel,
}

/// ```text
/// table! {
///     Operations, kernels; enum of the rows, [how a value of it becomes an operation]; (operands)
///     + [pattern] => the operation of values that have no row;
///     name(number: type) = [Variant(number)] { kind of dtypes => result, .. }
/// }
/// ```
///
/// Kinds are `float`, with a type `T: Pair`; `any`, with a type `T: Element`; `f32`, `f64`, `i64`, `bool`; and `all`, which
/// does not look at the dtype.
macro_rules! table {
    (
        $Op:ident, $Kernel:ty; $Key:ident, $around:tt; $operands:tt
        $(+ [$($pattern:tt)+] => $other:expr;)*
        $($name:ident($($p:ident: $t:ty),*) = [$($variant:tt)+] $arms:tt)+
    ) => {
        $(
            $crate::cpu::table::row! {
                $Op, $Kernel; $operands $operands;
                $name ($($p: $t),*) ($($p: $t),*) $around [$($variant)+] $arms
            }
        )+

        /// The operation with its kernel.
        pub(crate) fn named(key: $Key) -> $crate::cpu::table::Named<$Op, $Kernel> {
            match key {
                $($($pattern)+ => $other,)*
                $($($variant)+ => $name($($p),*),)+
            }
        }
    };
}

macro_rules! row {
    (
        $Op:ident, $Kernel:ty; ($x:ident: $X:ty $(, $y:ident: $Y:ty)*) $operands:tt;
        $name:ident ($($p:ident: $t:ty),*) $numbers:tt
        [$($around:tt)*] [$($variant:tt)+] {$($kind:ident => $body:expr),+ $(,)?}
    ) => {
        #[allow(unused_parens, reason = "around a variant that stands for itself")]
        pub(crate) fn $name($($p: $t),*) -> $crate::cpu::table::Named<$Op, $Kernel> {
            #[allow(unreachable_code, reason = "behind a row for all dtypes")]
            fn on_cpu(op: $Op, $x: $X $(, $y: $Y)*) -> $crate::array::Array {
                let $($around)* ($($variant)+) = op else { $crate::cpu::table::confused(&op) };
                $($crate::cpu::table::on!($kind $operands $numbers $body);)+
                $crate::cpu::table::undefined(&op, $x.dtype())
            }
            $crate::cpu::table::Named { op: $($around)* ($($variant)+), on_cpu }
        }
    };
}

/// Leaves with the result if the dtype is of the kind.
macro_rules! on {
    (all $operands:tt $numbers:tt $body:expr) => {
        return $body;
    };
    (float ($x:ident: $X:ty $(, $y:ident: $Y:ty)*) ($($p:ident: $t:ty),*) $body:expr) => {
        fn float<T: $crate::cpu::pairs::Pair>($x: $X, $($y: $Y,)* $($p: $t),*) -> $crate::array::Array {
            $body
        }
        match $x.dtype() {
            $crate::dtype::DType::F32 => return float::<f32>($x, $($y,)* $($p),*),
            $crate::dtype::DType::F64 => return float::<f64>($x, $($y,)* $($p),*),
            _ => {}
        }
    };
    (any ($x:ident: $X:ty $(, $y:ident: $Y:ty)*) ($($p:ident: $t:ty),*) $body:expr) => {
        fn any<T: $crate::dtype::Element>($x: $X, $($y: $Y,)* $($p: $t),*) -> $crate::array::Array {
            $body
        }
        match $x.dtype() {
            $crate::dtype::DType::F32 => return any::<f32>($x, $($y,)* $($p),*),
            $crate::dtype::DType::F64 => return any::<f64>($x, $($y,)* $($p),*),
            $crate::dtype::DType::I64 => return any::<i64>($x, $($y,)* $($p),*),
            $crate::dtype::DType::Bool => return any::<bool>($x, $($y,)* $($p),*),
            _ => {}
        }
    };
    (f32 ($x:ident: $X:ty $(, $y:ident: $Y:ty)*) $numbers:tt $body:expr) => {
        if $x.dtype() == $crate::dtype::DType::F32 {
            return $body;
        }
    };
    (f64 ($x:ident: $X:ty $(, $y:ident: $Y:ty)*) $numbers:tt $body:expr) => {
        if $x.dtype() == $crate::dtype::DType::F64 {
            return $body;
        }
    };
    (i64 ($x:ident: $X:ty $(, $y:ident: $Y:ty)*) $numbers:tt $body:expr) => {
        if $x.dtype() == $crate::dtype::DType::I64 {
            return $body;
        }
    };
    (bool ($x:ident: $X:ty $(, $y:ident: $Y:ty)*) $numbers:tt $body:expr) => {
        if $x.dtype() == $crate::dtype::DType::Bool {
            return $body;
        }
    };
}

pub(crate) use {on, row, table};

#[cold]
#[inline(never)]
pub(super) fn undefined(op: &dyn Debug, dtype: DType) -> ! {
    panic!("{op:?} is not defined on {}; arrays cast before they ask for it", dtype.name())
}

#[cold]
#[inline(never)]
pub(super) fn confused(op: &dyn Debug) -> ! {
    unreachable!("{op:?} came with the kernel of another operation")
}
