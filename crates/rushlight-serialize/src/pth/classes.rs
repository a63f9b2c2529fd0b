//! The white list: every class and function that a pickle may name.

use rushlight_array::DType;

/// What a name in a pickle stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// `collections.OrderedDict`, of which a `state_dict` is one.
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// `torch.Size`.
    Size,
    /// `torch.device`.
    Device,
    /// `_codecs.encode`, by which protocol 2 writes bytes.
    Encode,
    /// `torch.FloatStorage` and its kin.
    Storage(DType),
    /// `torch.float32` and its kin.
    DType(DType),
}

const CLASSES: [(&str, &str, Class); 6] = [
    ("collections", "OrderedDict", Class::OrderedDict),
    ("torch._utils", "_rebuild_tensor_v2", Class::RebuildTensor),
    ("torch._utils", "_rebuild_parameter", Class::RebuildParameter),
    ("torch", "Size", Class::Size),
    ("torch", "device", Class::Device),
    ("_codecs", "encode", Class::Encode),
];

const STORAGES: [(&str, DType); 10] = [
    ("FloatStorage", DType::F32),
    ("DoubleStorage", DType::F64),
    ("HalfStorage", DType::F16),
    ("BFloat16Storage", DType::BF16),
    ("LongStorage", DType::I64),
    ("IntStorage", DType::I32),
    ("ShortStorage", DType::I16),
    ("CharStorage", DType::I8),
    ("ByteStorage", DType::U8),
    ("BoolStorage", DType::Bool),
];

impl Class {
    /// The class of a name, if it is in the list.
    pub(super) fn find(module: &str, name: &str) -> Option<Class> {
        let class = CLASSES.iter().find(|(m, n, _)| (*m, *n) == (module, name)).map(|(_, _, class)| *class);
        let of_torch = || {
            let storage = STORAGES.iter().find(|(known, _)| *known == name);
            let dtype = DType::ALL.into_iter().find(|dtype| dtype.name() == name);
            storage.map(|(_, dtype)| Class::Storage(*dtype)).or(dtype.map(Class::DType))
        };
        class.or_else(|| if module == "torch" { of_torch() } else { None })
    }

    /// The lines that name the class in a pickle.
    pub(super) fn lines(self) -> String {
        let named = CLASSES.iter().find(|(_, _, class)| *class == self);
        let (module, name) = match self {
            Class::Storage(dtype) => ("torch", storage_of(dtype)),
            Class::DType(dtype) => ("torch", dtype.name()),
            _ => named.map_or(("", ""), |(module, name, _)| (module, name)),
        };
        format!("{module}\n{name}\n")
    }
}

fn storage_of(dtype: DType) -> &'static str {
    STORAGES.iter().find(|(_, known)| *known == dtype).map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_found_under_the_name_that_is_written() {
        let classes = CLASSES.iter().map(|(_, _, class)| *class);
        let of_dtypes = DType::ALL.into_iter().flat_map(|dtype| [Class::Storage(dtype), Class::DType(dtype)]);
        for class in classes.chain(of_dtypes) {
            let lines = class.lines();
            let (module, name) = lines.trim_end().split_once('\n').unwrap();
            assert_eq!(Class::find(module, name), Some(class));
        }
        assert_eq!(Class::find("os", "system"), None);
        assert_eq!(Class::find("numpy", "float32"), None);
    }
}
