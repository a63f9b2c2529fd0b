use crate::module::{Buffer, Fields, Mode, Module, Parameter, Path};
use std::sync::Arc;

/// What a walk through a module meets.
#[derive(Clone, Copy)]
pub enum Item<'a> {
    /// A tensor that learns.
    Parameter(&'a Parameter),
    /// A tensor that belongs to the state but does not learn.
    Buffer(&'a Buffer),
    /// A training flag.
    Mode(&'a Mode),
    /// A place in the model, with its name.
    Path(&'a Path),
    /// A module, before its own fields.
    Module(&'a dyn Module),
}

/// A module whose type does not matter. Of a closure's table of methods each would hold the code for all fields, and there
/// would be a closure for each way to walk.
pub(crate) trait Shown {
    fn show(&self, walk: &mut Walk<'_>);
}

impl<M: Fields + ?Sized> Shown for &M {
    fn show(&self, walk: &mut Walk<'_>) {
        self.visit(walk);
    }
}

pub(crate) type Show<'a> = &'a dyn Shown;

/// A walk through the fields of a module, depth first, in the order of its [`fields!`](crate::fields) lines.
///
/// The visitor is called with the qualified name (`layers.0.weight`) and the item; for a module it says
/// whether to go inside.
pub struct Walk<'a> {
    prefix: String,
    visit: &'a mut dyn FnMut(&str, Item<'_>) -> bool,
}

impl<'a> Walk<'a> {
    /// Walks through everything below `module`.
    pub fn through(module: &(impl Fields + ?Sized), visit: &'a mut dyn FnMut(&str, Item<'_>) -> bool) {
        Walk::start(&module, visit);
    }

    /// As [`Walk::through`]. Not inlined, as what calls it: it would become a part of the methods of all modules.
    #[inline(never)]
    pub(crate) fn start(module: Show<'_>, visit: &'a mut dyn FnMut(&str, Item<'_>) -> bool) {
        module.show(&mut Walk { prefix: String::new(), visit });
    }

    /// Visits one field.
    pub fn field(&mut self, name: &str, field: &(impl Field + ?Sized)) {
        field.accept(name, self);
    }

    /// Visits a module below this one, and then its fields.
    pub fn module(&mut self, name: &str, module: &dyn Module) {
        let before = self.prefix.len();
        self.push(name);
        if (self.visit)(&self.prefix, Item::Module(module)) {
            module.visit(self);
        }
        self.prefix.truncate(before);
    }

    fn item(&mut self, name: &str, item: Item<'_>) {
        let before = self.prefix.len();
        self.push(name);
        (self.visit)(&self.prefix, item);
        self.prefix.truncate(before);
    }

    fn push(&mut self, name: &str) {
        if !self.prefix.is_empty() {
            self.prefix.push('.');
        }
        self.prefix.push_str(name);
    }
}

/// What may stand in a module: parameters, buffers, modules, options and lists of these, and plain data.
///
/// A bare `Tensor` may not: say whether it is a [`Parameter`] or a [`Buffer`]. For plain data of your own, one line
/// says that there is nothing to show:
///
/// ```
/// use rushlight_nn::{Field, Walk};
/// enum Padding {
///     Same,
///     Valid,
/// }
/// impl Field for Padding {
///     fn accept(&self, _: &str, _: &mut Walk<'_>) {}
/// }
/// ```
pub trait Field {
    /// Shows this field to a walk.
    fn accept(&self, name: &str, walk: &mut Walk<'_>);
}

impl<M: Module> Field for M {
    fn accept(&self, name: &str, walk: &mut Walk<'_>) {
        walk.module(name, self);
    }
}

impl Field for Box<dyn Module> {
    fn accept(&self, name: &str, walk: &mut Walk<'_>) {
        walk.module(name, &**self);
    }
}

impl Field for Parameter {
    fn accept(&self, name: &str, walk: &mut Walk<'_>) {
        walk.item(name, Item::Parameter(self));
    }
}

impl Field for Buffer {
    fn accept(&self, name: &str, walk: &mut Walk<'_>) {
        walk.item(name, Item::Buffer(self));
    }
}

impl Field for Mode {
    fn accept(&self, name: &str, walk: &mut Walk<'_>) {
        walk.item(name, Item::Mode(self));
    }
}

impl Field for Path {
    fn accept(&self, name: &str, walk: &mut Walk<'_>) {
        self.set(walk.prefix.as_str());
        walk.item(name, Item::Path(self));
    }
}

/// A module that stands in several places: its weights are shared.
impl<M: Module> Field for Arc<M> {
    fn accept(&self, name: &str, walk: &mut Walk<'_>) {
        walk.module(name, &**self);
    }
}

impl<F: Field> Field for [F] {
    fn accept(&self, name: &str, walk: &mut Walk<'_>) {
        for (i, field) in self.iter().enumerate() {
            field.accept(&format!("{name}.{i}"), walk);
        }
    }
}

impl<F: Field> Field for Vec<F> {
    fn accept(&self, name: &str, walk: &mut Walk<'_>) {
        self.as_slice().accept(name, walk);
    }
}

impl<F: Field, const N: usize> Field for [F; N] {
    fn accept(&self, name: &str, walk: &mut Walk<'_>) {
        self.as_slice().accept(name, walk);
    }
}

impl<F: Field> Field for Option<F> {
    fn accept(&self, name: &str, walk: &mut Walk<'_>) {
        if let Some(field) = self {
            field.accept(name, walk);
        }
    }
}

macro_rules! plain_fields {
    ($($t:ty),*) => {$(
        impl Field for $t {
            fn accept(&self, _: &str, _: &mut Walk<'_>) {}
        }
    )*};
}
plain_fields!(bool, usize, isize, u64, i64, u32, i32, f64, f32, String, &'static str);
