use super::*;
use crate::Metric;
use rushlight_autograd::{Tensor, tensor};

fn loss(bend: f64) -> Vec<(f64, f64)> {
    (1..=30).map(|i| (f64::from(i), 2.2 * (-bend * f64::from(i)).exp() + 0.01 * f64::from(i % 3))).collect()
}

fn matrix() -> ConfusionMatrix {
    let mut matrix = ConfusionMatrix::new(3);
    matrix.update(&tensor([0, 0, 1, 1, 2, 2, 2, 0]), &tensor([0, 0, 1, 2, 2, 2, 2, 1]));
    matrix
}

/// A ramp, so that turned or mirrored pictures look wrong.
fn sample(predicted: &str, actual: &str) -> Sample {
    let values: Vec<f32> = (0..8 * 8).map(|i| (i % 8) as f32 / 14.0 + (i / 8) as f32 / 14.0).collect();
    Sample::new(&Tensor::from_vec(values, [1, 8, 8]), predicted, actual)
}

/// Each kind, with the names that must be legible in it.
fn pictures() -> Vec<(&'static str, Picture, Vec<&'static str>)> {
    let mut gap = loss(0.1);
    (gap[10].1, gap[11].1) = (f64::NAN, f64::INFINITY);
    let series = [Series::new("train", loss(0.2)), Series::new("validation", gap)];
    let rate = Series::new("lr", (0..2000).map(|i| (f64::from(i), 0.1 * 0.995f64.powi(i))).collect());
    let samples: Vec<Sample> =
        (0..10).map(|i| sample(["three", "eight"][i % 2], ["three", "eight"][(i / 3) % 2])).collect();
    vec![
        (
            "loss",
            Picture::curves("Loss of digits", "epoch", "cross entropy", &series),
            vec!["Loss of digits", "epoch", "cross entropy", "train", "validation"],
        ),
        (
            "rate",
            Picture::curves("Learning rate", "step", "lr", &[rate]).log_y(),
            vec!["Learning rate", "step", "lr"],
        ),
        (
            "matrix",
            Picture::confusion_matrix("Confusion", &matrix(), &["cat", "dog", "wild boar"]),
            vec!["Confusion", "cat", "dog", "predicted", "true"],
        ),
        (
            "samples",
            Picture::samples("Predictions", &samples, 5),
            vec!["Predictions", "three", "eight", "is three"],
        ),
    ]
}

#[test]
fn every_picture_has_its_texts_and_is_drawn_in_both_forms() {
    for (name, picture, texts) in pictures() {
        let svg = picture.svg();
        for text in texts {
            assert!(svg.contains(text), "{name}: no {text:?}");
        }
        let bytes = picture.png();
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), picture.dimensions());
        // Letters are drawn: without a font nothing dark would stand in the title's rows.
        let title = &pixels[..3 * 44 * info.width as usize];
        assert!(title.chunks(3).filter(|p| p[0] < 90 && p[1] < 90 && p[2] < 90).count() > 100, "{name}");
        if let Some(folder) = std::env::var_os("RUSHLIGHT_PICTURES") {
            let path = Path::new(&folder).join(name);
            picture.save(path.with_extension("png")).unwrap();
            picture.save(path.with_extension("svg")).unwrap();
        }
    }
}

#[test]
fn odd_curves_are_drawn_without_a_panic() {
    for points in [
        vec![],
        vec![(0.0, 1.0)],
        vec![(1.0, f64::NAN)],
        vec![(0.0, 5.0), (1.0, 5.0)],
        vec![(0.0, -1e300), (1.0, 1e300)],
        vec![(0.0, 1e16), (1.0, 1e16 + 2.0)],
        vec![(0.0, f64::MIN), (1.0, f64::MAX)],
        vec![(0.0, 1e-310), (1.0, 2e-310)],
    ] {
        let series = [Series::new("<a & b>", points)];
        for picture in
            [Picture::curves("t", "x", "y", &series), Picture::curves("t", "x", "y", &series).log_y()]
        {
            assert!(picture.svg().ends_with("</svg>\n"));
            assert!(picture.png().len() > 100);
        }
    }
    assert!(Picture::curves("a < b & c", "x", "y", &[]).svg().contains("a &lt; b &amp; c"));
}

#[test]
fn a_file_takes_the_form_of_its_name() {
    let folder = std::env::temp_dir().join(format!("rushlight-plots-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let picture = Picture::curves("t", "x", "y", &[Series::new("a", loss(0.1))]).size(300, 200);
    picture.save(folder.join("a.png")).unwrap();
    picture.save(folder.join("a.svg")).unwrap();
    assert!(std::fs::read(folder.join("a.png")).unwrap() == picture.png());
    assert!(std::fs::read_to_string(folder.join("a.svg")).unwrap().contains("width=\"300\""));
    assert!(picture.save(folder.join("a.jpg")).is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}
