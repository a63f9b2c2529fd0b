//! Transforms against torchvision (`golden/transforms.json`, made by the script beside it), and what they owe to the
//! loader.

use rushlight_array::random::{Generator, Seed, TorchSeed};
use rushlight_data::transforms::*;
use rushlight_data::{DataLoader, Dataset, Image, ImageDataset, InMemoryImages, Pixels, SampleSeed, Subset};
use serde_json::Value;

fn boxed(transform: impl Transform) -> Box<dyn Transform> {
    Box::new(transform)
}

/// The transform of a case, as the script has it.
fn transform_of(case: &str) -> Box<dyn Transform> {
    use InterpolationMode::{Bicubic, Bilinear, Nearest};
    let both = [5, 12];
    match case {
        "to_tensor_normalize" => {
            let normalize = Normalize::new([0.4, 0.5, 0.6], [0.2, 0.25, 0.3]);
            boxed(Compose::new((ToTensor::new(), normalize)))
        }
        "random_crop_padding" => boxed(RandomCrop::new(6).padding(2)),
        "random_crop_reflect" => {
            boxed(RandomCrop::new([4, 8]).padding([3, 1]).padding_mode(PaddingMode::Reflect))
        }
        "random_crop_if_needed" => boxed(RandomCrop::new([12, 14]).pad_if_needed(true).fill(7.0)),
        "horizontal_flip" => boxed(RandomHorizontalFlip::new()),
        "vertical_flip" => boxed(RandomVerticalFlip::new().p(0.4)),
        "rotation_nearest" => boxed(RandomRotation::new(37)),
        "rotation_bilinear_fill" => {
            boxed(RandomRotation::new([-70.0, 10.0]).interpolation(Bilinear).fill([9.0, 60.0, 200.0]))
        }
        "rotation_expand" => boxed(RandomRotation::new(80).expand(true).interpolation(Bilinear)),
        "rotation_center" => boxed(RandomRotation::new(45).center([2.0, 3.0])),
        "affine" => {
            let affine = RandomAffine::new(15).translate([0.2, 0.3]).scale([0.7, 1.4]);
            boxed(affine.shear([-10.0, 10.0, -5.0, 20.0]))
        }
        "affine_bilinear" => boxed(RandomAffine::new(25).shear(12).interpolation(Bilinear).fill([0.5])),
        "resize" => boxed(Resize::new(both)),
        "resize_shorter" => boxed(Resize::new(4)),
        "resize_max" => boxed(Resize::new(6).max_size(7)),
        "resize_plain" => boxed(Resize::new(both).antialias(false)),
        "resize_nearest" => boxed(Resize::new(both).interpolation(Nearest)),
        "resize_bicubic" => boxed(Resize::new(both).interpolation(Bicubic)),
        "resize_bicubic_plain" => boxed(Resize::new([17, 4]).interpolation(Bicubic).antialias(false)),
        "resized_crop" => boxed(RandomResizedCrop::new(6)),
        "center_crop" => boxed(CenterCrop::new([5, 4])),
        "center_crop_larger" => boxed(CenterCrop::new([11, 6])),
        "pad" => boxed(Pad::new([1, 2, 3, 0]).fill(5.0)),
        "pad_edge" => boxed(Pad::new([2, 1]).padding_mode(PaddingMode::Edge)),
        "pad_reflect" => boxed(Pad::new(3).padding_mode(PaddingMode::Reflect)),
        "pad_symmetric" => boxed(Pad::new(3).padding_mode(PaddingMode::Symmetric)),
        "grayscale" => boxed(Grayscale::new()),
        "random_grayscale" => boxed(RandomGrayscale::new().p(0.5)),
        "jitter" => boxed(ColorJitter::new().brightness(0.4).contrast(0.5).saturation(0.6).hue(0.3)),
        "jitter_hue" => boxed(ColorJitter::new().hue([0.1, 0.5])),
        "erasing" => boxed(RandomErasing::new().p(0.7)),
        "erasing_random" => boxed(RandomErasing::new().p(1.0).value(ErasingValue::Random)),
        "apply" => {
            let both = (RandomHorizontalFlip::new().p(1.0), ColorJitter::new().brightness(0.5));
            boxed(RandomApply::new(both).p(0.6))
        }
        other => panic!("the case '{other}' is not known"),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Bytes must be equal, floats to 1e-5; random transforms make torchvision's draws from torch's generator.
///
/// One byte of a resized image may be off by one: PyTorch adds with fused instructions where the machine has them, and
/// a sum that is half-way between two bytes may then fall to the other side.
#[test]
fn transforms_do_what_torchvision_does_with_its_draws() {
    let golden: Value = serde_json::from_str(include_str!("golden/transforms.json")).unwrap();
    let bytes: Vec<u8> = numbers(&golden["input"]).into_iter().map(|x| x as u8).collect();
    let floats: Vec<f32> = bytes.iter().map(|&x| f32::from(x) / 255.0).collect();
    let records = golden["records"].as_array().unwrap();
    let mut wrong = Vec::new();
    for record in records {
        let (case, seed) = (record["case"].as_str().unwrap(), record["seed"].as_u64().unwrap());
        let mut image = match record["kind"].as_str().unwrap() {
            "u8" => Image::from_u8([3, 9, 8], &bytes),
            _ => Image::from_f32([3, 9, 8], &floats),
        };
        let mut draws = Draws::new(Generator::new(TorchSeed(seed)));
        transform_of(case).apply(&mut image, &mut draws);
        let shape: Vec<f64> = image.shape().iter().map(|&size| size as f64).collect();
        let (found, most): (Vec<f64>, f64) = match image.pixels() {
            Pixels::U8(pixels) => (pixels.iter().map(|&x| f64::from(x)).collect(), 0.0),
            Pixels::F32(pixels) => (pixels.iter().map(|&x| f64::from(x)).collect(), 1e-5),
        };
        let expected = numbers(&record["values"]);
        let off =
            found.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() > most * (1.0 + b.abs())).count();
        let halfway = case.starts_with("resize") && most == 0.0 && off == 1;
        let off =
            if halfway && found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1.0) { 0 } else { off };
        if shape != numbers(&record["shape"]) || found.len() != expected.len() || off > 0 {
            wrong.push(format!("{case} {} seed {seed}: {off} of {} differ", record["kind"], found.len()));
        }
    }
    assert!(records.len() > 90 && wrong.is_empty(), "{wrong:#?}");
}

fn images(count: usize) -> InMemoryImages {
    let pixels = (0..count * 3 * 64).map(|i| (i * 37 % 251) as u8).collect();
    InMemoryImages::new([3, 8, 8], pixels, (0..count as i64).collect())
}

fn augmentation() -> impl IntoTransforms {
    (
        RandomCrop::new(8).padding(2),
        RandomHorizontalFlip::new(),
        ColorJitter::new().brightness(0.3).hue(0.1),
        ToTensor::new(),
        Normalize::new([0.5, 0.4, 0.3], [0.2, 0.2, 0.3]),
        RandomErasing::new(),
    )
}

/// All bits of two epochs.
fn epochs(
    dataset: impl Dataset<Item = (rushlight_autograd::Tensor, i64)> + 'static,
    workers: usize,
    batch: usize,
) -> Vec<u32> {
    let loader = DataLoader::new(dataset).batch_size(batch).shuffle(true).num_workers(workers);
    let loader = loader.generator(Generator::new(3));
    let epoch =
        || loader.iter().flat_map(|b| b.unwrap().0.to_vec::<f32>()).map(f32::to_bits).collect::<Vec<_>>();
    [epoch(), epoch()].concat()
}

#[test]
fn workers_and_batch_size_change_no_augmentation() {
    let alone = epochs(images(30).transform(augmentation()), 0, 1);
    for (workers, batch) in [(0, 7), (1, 7), (3, 4), (4, 30)] {
        // `assert_eq` would print twelve thousand numbers.
        assert!(epochs(images(30).transform(augmentation()), workers, batch) == alone, "{workers} {batch}");
    }
    let half = alone.len() / 2;
    assert!(alone[..half] != alone[half..], "each epoch has augmentations of its own");
}

/// What is written into the batch at once is what each sample by itself gives.
#[test]
fn a_batch_made_together_is_that_of_its_samples() {
    let together = epochs(images(12).transform(augmentation()), 0, 5);
    let one_by_one = epochs(images(12).transform(augmentation()).map(Ok), 0, 5);
    assert!(together == one_by_one);
    let subset =
        |d: InMemoryImages| Subset::new(Subset::new(d, (0..12).rev().collect()), vec![3, 1, 2, 0, 5]);
    let inside = epochs(subset(images(12)).transform(augmentation()), 2, 2);
    let outside = epochs(subset(images(12)).transform(augmentation()).map(Ok), 0, 2);
    assert!(inside == outside);
    let transformed = Subset::new(images(12).transform(augmentation()), vec![8, 10, 9, 11, 6]);
    assert!(
        epochs(transformed, 1, 2) == inside,
        "a subset of a transformed set gives what a transformed subset does"
    );
}

#[test]
fn an_augmentation_is_a_function_of_epoch_and_sample() {
    let dataset = images(4).transform(augmentation());
    let sample = |seed: Seed| dataset.get_random(2, SampleSeed::new(seed, 5, 2)).unwrap().0.to_vec::<f32>();
    assert_eq!(sample(Seed::ChaCha(1)), sample(Seed::ChaCha(1)));
    assert_ne!(sample(Seed::ChaCha(1)), sample(Seed::ChaCha(2)));
}

#[test]
fn a_lambda_draws_from_the_samples_stream() {
    let noisy = || {
        let noise = Lambda::new(|x| &x + &rushlight_autograd::rand(x.shape()));
        images(10).transform((RandomHorizontalFlip::new(), ToTensor::new(), noise))
    };
    assert!(epochs(noisy(), 0, 3) == epochs(noisy(), 3, 2));
}

#[test]
fn images_of_different_shapes_are_told_of_by_name() {
    struct Growing;
    impl Dataset for Growing {
        type Item = (rushlight_autograd::Tensor, i64);
        fn len(&self) -> usize {
            3
        }
        fn get(&self, _: usize) -> rushlight_array::Result<Self::Item> {
            unreachable!("it is read as an image")
        }
    }
    impl ImageDataset for Growing {
        fn read(&self, index: usize, image: &mut Image) -> rushlight_array::Result<i64> {
            image.set_u8([1, 2, index + 2], |pixels| pixels.fill(0));
            Ok(0)
        }
    }
    let error = DataLoader::new(Growing.transform(ToTensor::new())).batch_size(3).iter().next().unwrap();
    let said = error.unwrap_err().to_string();
    assert!(
        said.starts_with("sample 1: collate: its shape [1, 2, 3] differs from shape [1, 2, 2] of sample 0"),
        "{said}"
    );
    let padded = Growing.transform((ToTensor::new(), CenterCrop::new(2)));
    assert_eq!(
        DataLoader::new(padded).batch_size(3).iter().next().unwrap().unwrap().0.shape().to_vec(),
        [3, 1, 2, 2]
    );
}

#[test]
fn bytes_stay_bytes_without_to_tensor() {
    let loader = DataLoader::new(images(4).transform((RandomHorizontalFlip::new(),))).batch_size(4);
    let (x, _) = loader.iter().next().unwrap().unwrap();
    assert_eq!((x.dtype(), x.shape().to_vec()), (rushlight_array::DType::U8, vec![4, 3, 8, 8]));
}

#[test]
fn a_transform_that_does_not_fit_arrives_as_the_samples_error() {
    let said = |transforms: Compose| {
        let loader = DataLoader::new(images(2).transform(transforms)).batch_size(2);
        loader.iter().next().unwrap().unwrap_err().to_string()
    };
    let normalize = || Normalize::new([0.5], [0.5]);
    assert_eq!(
        said(Compose::new((normalize(),))),
        "sample 0: panicked: Normalize: an image of bytes; it takes floating-point ones, so put ToTensor before it"
    );
    assert_eq!(
        said(Compose::new((ToTensor::new(), Normalize::new([0.5, 0.5], [0.5, 0.5])))),
        "sample 0: panicked: Normalize: an image of 3 channels, but 2 means and stds; their number must be 1 or that \
         of the channels"
    );
    assert_eq!(
        said(Compose::new((RandomCrop::new(9),))),
        "sample 0: panicked: RandomCrop: an image of 8 x 8 pixels is smaller than the crop of 9 x 9; use padding or \
         pad_if_needed(true)"
    );
}

/// Two transforms for different numbers of channels cannot be one table: the one that does not fit says so.
#[test]
fn normalisations_that_contradict_each_other_are_told_of() {
    let both = (ToTensor::new(), Normalize::new([0.5; 3], [0.5; 3]), Normalize::new([0.5; 2], [0.5; 2]));
    let loader = DataLoader::new(images(1).transform(both));
    let said = loader.iter().next().unwrap().unwrap_err().to_string();
    assert!(said.contains("3 channels, but 2 means"), "{said}");
}
