use crate::activation::ReLU;
use crate::linear::Linear;
use crate::module::{Fields, Module, Path};
use crate::walk::Walk;
use rushlight_array::fail;
use rushlight_autograd::Tensor;
use std::any::Any;
use std::fmt;

/// Modules one after the other. Make it with [`sequential!`](crate::sequential).
///
/// Shape: whatever the first takes -> whatever the last gives.
#[derive(Default)]
pub struct Sequential {
    modules: Vec<Box<dyn Module>>,
    /// The modules' types. To ask each time would cost more than a small layer.
    kinds: Vec<&'static str>,
    path: Path,
}

/// A [`Sequential`] of the given modules: `sequential![Linear::new(2, 30), ReLU, Linear::new(30, 2)]`.
#[macro_export]
macro_rules! sequential {
    ($($module:expr),* $(,)?) => {
        $crate::Sequential::new(vec![$(::std::boxed::Box::new($module) as ::std::boxed::Box<dyn $crate::Module>),*])
    };
}

impl Sequential {
    /// The modules in this order.
    pub fn new(modules: Vec<Box<dyn Module>>) -> Self {
        let kinds = modules.iter().map(|module| module.type_name()).collect();
        Sequential { modules, kinds, path: Path::default() }
    }

    /// Adds a module at the end.
    pub fn push(&mut self, module: impl Module) {
        self.kinds.push(module.type_name());
        self.modules.push(Box::new(module));
    }

    /// The number of modules.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// One of the modules, as the type it is: `model.layers.get::<Linear>(0).weight`.
    ///
    /// # Panics
    /// If there is no such module or it is of another type.
    #[track_caller]
    pub fn get<M: Module>(&self, i: usize) -> &M {
        let Some(module) = self.modules.get(i) else {
            fail!("Sequential: no module {i}; there are {}", self.modules.len())
        };
        let any: &dyn Any = &**module;
        match any.downcast_ref() {
            Some(module) => module,
            None => fail!(
                "Sequential: module {i} is a {}, not a {}",
                module.type_name(),
                std::any::type_name::<M>().rsplit("::").next().unwrap_or_default()
            ),
        }
    }

    /// A linear layer with a relu behind it, which are computed in one pass.
    fn linear_before_relu(&self, i: usize) -> Option<&Linear> {
        let next: &dyn Any = &**self.modules.get(i + 1)?;
        next.downcast_ref::<ReLU>()?;
        let this: &dyn Any = &*self.modules[i];
        this.downcast_ref()
    }

    /// The modules in order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Module> {
        self.modules.iter().map(|module| &**module)
    }
}

impl Fields for Sequential {
    fn visit(&self, walk: &mut Walk<'_>) {
        walk.field("path", &self.path);
        for (i, module) in self.modules.iter().enumerate() {
            walk.module(&i.to_string(), &**module);
        }
    }
}

impl Module for Sequential {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut result: Option<Tensor> = None;
        let mut i = 0;
        while let Some(module) = self.modules.get(i) {
            let _place = self.path.enter(Some(i), self.kinds[i]);
            let input = result.as_ref().unwrap_or(x);
            let (output, done) = match self.linear_before_relu(i) {
                Some(linear) => (linear.forward_relu(input), 2),
                None => (module.forward(input), 1),
            };
            result = Some(output);
            i += done;
        }
        result.unwrap_or_else(|| x.clone())
    }
}

impl fmt::Display for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::format_module(self))
    }
}
