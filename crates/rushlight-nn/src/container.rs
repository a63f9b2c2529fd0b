use crate::hook;
use crate::module::{Fields, Module, Path, has_path};
use crate::walk::Walk;
use rushlight_array::fail;
use rushlight_autograd::{Tensor, is_anomaly_enabled};
use std::any::Any;
use std::fmt;

/// Modules one after the other. Make it with [`sequential!`](crate::sequential).
///
/// Shape: whatever the first takes -> whatever the last gives.
#[derive(Default)]
pub struct Sequential {
    modules: Vec<Box<dyn Module>>,
    /// The modules' types, and whether they tell of their passes themselves. To ask each time would cost more than a
    /// small layer.
    kinds: Vec<(&'static str, bool)>,
    path: Path,
}

/// A [`Sequential`] of the given modules: `sequential![Linear::new(2, 30), ReLU, Linear::new(30, 2)]`.
#[macro_export]
macro_rules! sequential {
    ($($module:expr),* $(,)?) => {
        $crate::Sequential::new(vec![$(::std::boxed::Box::new($module) as ::std::boxed::Box<dyn $crate::Module>),*])
    };
}

/// A module's type, and whether it tells of its passes itself.
fn kind(module: &dyn Module) -> (&'static str, bool) {
    (module.type_name(), has_path(module))
}

impl Sequential {
    /// The modules in this order.
    pub fn new(modules: Vec<Box<dyn Module>>) -> Self {
        let kinds = modules.iter().map(|module| kind(&**module)).collect();
        Sequential { modules, kinds, path: Path::default() }
    }

    /// Adds a module at the end.
    pub fn push(&mut self, module: impl Module) {
        self.kinds.push(kind(&module));
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
            let (kind, tells) = self.kinds[i];
            let _place = self.path.enter(Some(i), kind);
            let input = result.as_ref().unwrap_or(x);
            // Who looks for what is not a number wants the names of all operations.
            let fused = if is_anomaly_enabled() { None } else { module.fused(input, &self.modules[i + 1..]) };
            let (output, done) = fused.unwrap_or_else(|| (module.forward(input), 1));
            if hook::observed() && !tells {
                let path = self.path.get();
                let dot = if path.is_empty() { "" } else { "." };
                hook::tell(&format!("{path}{dot}{i}"), &**module, input, &output);
            }
            result = Some(output);
            i += done;
        }
        self.path.finish(self, x, result.unwrap_or_else(|| x.clone()))
    }
}

/// Modules in a list, called by the code that holds it: PyTorch's `nn.ModuleList`. A plain `Vec` of modules does the
/// same; this one prints as PyTorch's and holds modules of several types.
///
/// ```
/// use rushlight_nn::{Linear, Module, ModuleList, Tanh};
/// use rushlight_autograd::tensor;
/// let mut layers = ModuleList::default();
/// layers.push(Linear::new(2, 3));
/// layers.push(Tanh);
/// let y = layers.iter().fold(tensor([[1.0, 2.0]]), |x, layer| layer.forward(&x));
/// assert_eq!((layers.len(), y.shape().to_vec()), (2, vec![1, 3]));
/// ```
#[derive(Default)]
pub struct ModuleList {
    modules: Vec<Box<dyn Module>>,
}

impl ModuleList {
    /// The modules in this order.
    pub fn new(modules: Vec<Box<dyn Module>>) -> Self {
        ModuleList { modules }
    }

    /// Adds a module at the end.
    pub fn push(&mut self, module: impl Module) {
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

    /// One of the modules.
    ///
    /// # Panics
    /// If there is no such module.
    #[track_caller]
    pub fn get(&self, i: usize) -> &dyn Module {
        match self.modules.get(i) {
            Some(module) => &**module,
            None => fail!("ModuleList: no module {i}; there are {}", self.modules.len()),
        }
    }

    /// The modules in order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Module> {
        self.modules.iter().map(|module| &**module)
    }
}

impl Fields for ModuleList {
    fn visit(&self, walk: &mut Walk<'_>) {
        for (i, module) in self.modules.iter().enumerate() {
            walk.module(&i.to_string(), &**module);
        }
    }
}

impl Module for ModuleList {}

/// Modules by name, in the order in which they came: PyTorch's `nn.ModuleDict`.
///
/// ```
/// use rushlight_nn::{Linear, Module, ModuleDict};
/// let mut heads = ModuleDict::default();
/// heads.insert("digit", Linear::new(4, 10));
/// heads.insert("parity", Linear::new(4, 2));
/// assert_eq!(heads.get("parity").num_parameters(), 10);
/// assert_eq!(heads.named_parameters()[2].0, "parity.weight");
/// ```
#[derive(Default)]
pub struct ModuleDict {
    modules: Vec<(String, Box<dyn Module>)>,
}

impl ModuleDict {
    /// Adds a module; one of that name before it is replaced.
    ///
    /// # Panics
    /// If the name is empty or has a dot, which separates the names of a state dict.
    #[track_caller]
    pub fn insert(&mut self, name: &str, module: impl Module) {
        if name.is_empty() || name.contains('.') {
            fail!("ModuleDict: the name is {name:?}; it must not be empty or have a dot");
        }
        let module: Box<dyn Module> = Box::new(module);
        match self.modules.iter_mut().find(|(known, _)| known == name) {
            Some(place) => place.1 = module,
            None => self.modules.push((name.to_owned(), module)),
        }
    }

    /// The number of modules.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// Whether there is one of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.modules.iter().any(|(known, _)| known == name)
    }

    /// One of the modules.
    ///
    /// # Panics
    /// If there is none of this name.
    #[track_caller]
    pub fn get(&self, name: &str) -> &dyn Module {
        match self.modules.iter().find(|(known, _)| known == name) {
            Some((_, module)) => &**module,
            None => {
                let names: Vec<&str> = self.modules.iter().map(|(name, _)| name.as_str()).collect();
                fail!("ModuleDict: no module {name:?}; there are {names:?}")
            }
        }
    }

    /// Names and modules in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &dyn Module)> {
        self.modules.iter().map(|(name, module)| (name.as_str(), &**module))
    }
}

impl Fields for ModuleDict {
    fn visit(&self, walk: &mut Walk<'_>) {
        for (name, module) in &self.modules {
            walk.module(name, &**module);
        }
    }
}

impl Module for ModuleDict {}

macro_rules! display {
    ($($Name:ident),*) => {$(
        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                crate::write_module(self, f)
            }
        }
    )*};
}
display!(Sequential, ModuleList, ModuleDict);
