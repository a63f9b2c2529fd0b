use crate::dataset::Dataset;
use crate::image::Image;
use crate::images::ImageDataset;
use image::{DynamicImage, ImageReader, Limits};
use rushlight_array::{Error, Result, fail};
use rushlight_autograd::Tensor;
use std::path::{Path, PathBuf};

/// PNG and JPEG files in one folder for each class: torchvision's `ImageFolder`.
///
/// Classes are the folders in order of their names, samples their files, also those in folders within them, in
/// order of their paths. A sample is the bytes of the image in colour, *shape* `(3, H, W)`, and the number of its
/// class. An image is read when it is asked for.
///
/// ```no_run
/// use rushlight_data::transforms::{CenterCrop, Resize, ToTensor};
/// use rushlight_data::{DataLoader, ImageDataset, datasets::ImageFolder};
/// let pets = ImageFolder::new("pets")?; // pets/cat/1.jpg, pets/dog/7.png
/// println!("{:?}", pets.classes());
/// let pets = pets.transform((Resize::new(256), CenterCrop::new(224), ToTensor::new()));
/// let loader = DataLoader::new(pets).batch_size(32).shuffle(true).num_workers(4);
/// # Ok::<(), rushlight_array::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageFolder {
    classes: Vec<String>,
    samples: Vec<(PathBuf, i64)>,
}

/// The endings of files that can be decoded.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

impl ImageFolder {
    /// Looks through the folder.
    ///
    /// # Errors
    /// If it cannot be read, has no folder in it, or a class has no image.
    pub fn new(root: impl AsRef<Path>) -> Result<ImageFolder> {
        let root = root.as_ref();
        let (folders, _) = listed(root)?;
        if folders.is_empty() {
            let reason = "there is no folder in it; there must be one for each class";
            return Err(Error::invalid(root.display().to_string(), reason));
        }
        let (mut classes, mut samples) = (Vec::new(), Vec::new());
        for (label, folder) in folders.iter().enumerate() {
            let before = samples.len();
            collect(folder, label as i64, &mut samples)?;
            if samples.len() == before {
                let reason = format!("there is no image in it; files must end in .{}", ENDINGS.join(", ."));
                return Err(Error::invalid(folder.display().to_string(), reason));
            }
            classes.push(folder.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
        Ok(ImageFolder { classes, samples })
    }

    /// The names of the classes by their numbers.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The path of each image, and the number of its class.
    pub fn samples(&self) -> &[(PathBuf, i64)] {
        &self.samples
    }
}

/// The folders and the files of a folder, by name.
fn listed(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let failed = |source| Error::Io { path: folder.to_path_buf(), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().map_err(failed)?;
    paths.sort();
    Ok(paths.into_iter().partition(|path| path.is_dir()))
}

fn collect(folder: &Path, label: i64, samples: &mut Vec<(PathBuf, i64)>) -> Result<()> {
    // A list and not a recursion, since a link may lead back; more folders than that are a circle.
    let mut open = vec![folder.to_path_buf()];
    let mut seen = 0;
    while let Some(folder) = open.pop() {
        seen += 1;
        if seen > 1 << 20 {
            return Err(Error::invalid(
                folder.display().to_string(),
                "more than a million folders; a link leads back",
            ));
        }
        let (mut folders, files) = listed(&folder)?;
        let decodable = |path: &PathBuf| {
            let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
            ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
        };
        samples.extend(files.into_iter().filter(decodable).map(|path| (path, label)));
        folders.reverse();
        open.append(&mut folders);
    }
    Ok(())
}

impl Dataset for ImageFolder {
    type Item = (Tensor, i64);

    fn len(&self) -> usize {
        self.samples.len()
    }

    fn get(&self, index: usize) -> Result<(Tensor, i64)> {
        let mut image = Image::new();
        let label = self.read(index, &mut image)?;
        Ok((image.to_tensor(), label))
    }
}

impl ImageDataset for ImageFolder {
    fn read(&self, index: usize, image: &mut Image) -> Result<i64> {
        let Some((path, label)) = self.samples.get(index) else {
            fail!("ImageFolder: index {index} is out of range for {} images", self.samples.len());
        };
        let colours = decoded(path)?.into_rgb8();
        let (width, height) = (colours.width() as usize, colours.height() as usize);
        let plane = width * height;
        image.set_u8([3, height, width], |out| {
            for (i, pixel) in colours.as_raw().chunks_exact(3).enumerate() {
                for (channel, &value) in pixel.iter().enumerate() {
                    out[channel * plane + i] = value;
                }
            }
        });
        Ok(*label)
    }
}

fn decoded(path: &Path) -> Result<DynamicImage> {
    let failed = |source| Error::Io { path: path.to_path_buf(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    let mut reader = ImageReader::open(path).map_err(failed)?.with_guessed_format().map_err(failed)?;
    let mut limits = Limits::default();
    // Deflate makes at most 1032 bytes of one, JPEG less; a header that promises more is not believed.
    limits.max_alloc = Some(size.saturating_mul(1100).saturating_add(1 << 20));
    reader.limits(limits);
    reader.decode().map_err(|error| Error::invalid(path.display().to_string(), error.to_string()))
}
