//! The run card: there and back, and a page in which no text can do anything.

use rushlight_autograd::tensor;
use rushlight_train::report::{Curve, RunCard, sha256_of_file, sha256_of_tensors};
use std::path::PathBuf;

/// A card with everything, and with texts that would do harm where they are not escaped.
fn card() -> RunCard {
    let curve = |scale: f64, bend: f64| -> Vec<(f64, f64)> {
        (1..=20)
            .map(|i| (f64::from(i), scale * (-bend * f64::from(i)).exp() + 0.02 * f64::from(i * 7 % 5)))
            .collect()
    };
    let mut card = RunCard::new("digits <script>alert(1)</script> & \"more\"");
    card.seed = Some(u64::MAX);
    card.command = ["digits", "--trainer", "--note", "<b>\u{1}"].map(str::to_owned).to_vec();
    card.workers = 2;
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
    card.settings = pairs(&[("optimizer", "SGD, momentum 0.9"), ("batch size", "64"), ("</table>", "'x'")]);
    card.data = pairs(&[("digits.csv", &"0123456789abcdef".repeat(4))]);
    card.results = [("test accuracy", 0.9833), ("test loss", 0.0612), ("seconds", 12.5), ("epochs", 20.0)]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
    let mut loss = curve(2.2, 0.15);
    loss[12].1 = f64::NAN;
    card.curves.push(Curve::new("Loss", "train", "epoch", curve(2.3, 0.2)));
    card.curves.push(Curve::new("Loss", "validation", "epoch", loss));
    let accuracy = curve(-0.9, 0.3).into_iter().map(|(x, y)| (x, 0.9 + y)).collect();
    card.curves.push(Curve::new("Accuracy", "validation", "epoch", accuracy));
    let rate =
        (0..20_000).map(|i| (f64::from(i), 1e-3 * (1.0 + (f64::from(i) / 20_000.0 * 3.2).cos()))).collect();
    card.curves.push(Curve::new("Learning rate", "lr <i>", "step", rate));
    card.weights_sha256 = Some("fedcba9876543210".repeat(4));
    card
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("rushlight-report-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_card_is_read_back_as_it_was_written() {
    let folder = folder("card");
    let path = folder.join("card.json");
    let mut card = card();
    card.save(&path).unwrap();
    let mut back = RunCard::load(&path).unwrap();
    // NaN is there, and unlike itself.
    let at = |card: &mut RunCard| std::mem::take(&mut card.curves[1].points[12].1);
    assert!(at(&mut card).is_nan() && at(&mut back).is_nan());
    assert_eq!(back, card);
    card.seed = None;
    card.weights_sha256 = None;
    card.results.push(("best".to_owned(), f64::NEG_INFINITY));
    assert_eq!(RunCard::from_json("f", card.to_json()).unwrap(), card);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_no_card_is_an_error_and_never_a_panic() {
    let text = card().to_json();
    for (from, to, reason) in [
        ("rushlight run card", "recipe", "it is \"recipe\" of version 1"),
        ("\"threads\"", "\"tread\"", "there is no key `threads`"),
        ("\"workers\": 2", "\"workers\": -2", "expected an integer of type usize"),
        ("[\"digits.csv\",", "[3, \"digits.csv\",", "expected a pair, found 3 values"),
        ("\"NaN\"", "\"nan\"", "expected a number"),
        ("\"xs\": [1.0,", "\"xs\": [", "places and"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = RunCard::from_json("card.json", text.replace(from, to)).unwrap_err().to_string();
        assert!(error.starts_with("card.json: ") && error.contains(reason), "{error}");
    }
    // Cut, and with other characters, at every place of a small card.
    let small = RunCard { name: "é".to_owned(), ..RunCard::default() }.to_json();
    for at in (0..small.len()).filter(|&at| small.is_char_boundary(at)) {
        assert!(RunCard::from_json("f", &small[..at]).is_err() || small[at..].trim().is_empty());
        for other in ["\"", "{", "9", "\u{0}", "é", "-"] {
            let _ = RunCard::from_json("f", format!("{}{other}{}", &small[..at], &small[at..]));
        }
    }
}

#[test]
fn texts_stand_in_the_page_and_do_nothing() {
    let page = card().to_html();
    assert!(page.contains("digits &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;"));
    assert!(page.contains("&lt;/table&gt;") && page.contains("&#39;x&#39;") && page.contains("lr &lt;i&gt;"));
    for no in ["<script", "<b>\u{1}", "lr <i>", "http://", "https://", "src=", "url(", "NaN\""] {
        assert!(!page.contains(no), "{no}");
    }
    assert!(page.contains("validation is NaN at epoch 13."));
    // Every tag that is opened is closed.
    for tag in ["section", "table", "svg", "text", "ul", "main", "body", "html", "div", "circle"] {
        let count = |what: String| page.matches(&what).count();
        let opened = count(format!("<{tag} ")) + count(format!("<{tag}>"));
        assert!(opened > 0 && opened == count(format!("</{tag}>")), "{tag}");
    }
    // 20,000 points make no heavy page.
    assert!(page.len() < 100_000, "{}", page.len());
    if let Some(path) = std::env::var_os("RUSHLIGHT_REPORT") {
        card().save_html(path).unwrap();
    }
}

#[test]
fn a_card_without_anything_is_a_page_too() {
    let page = RunCard::default().to_html();
    assert!(page.contains("not ended") && page.ends_with("</html>\n"));
    let mut odd = RunCard::new("odd");
    odd.curves.push(Curve::new("", "", "", vec![]));
    odd.curves.push(Curve::new("a", "b", "c", vec![(f64::NAN, f64::INFINITY), (1e308, -1e308)]));
    odd.curves.push(Curve::new("a", "d", "c", vec![(-1e308, 1e308)]));
    let page = odd.to_html();
    assert!(
        page.contains("b is inf at c NaN.") && !page.contains("=\"NaN") && !page.contains("MNaN"),
        "{page}"
    );
}

#[test]
fn hashes_are_those_of_the_files() {
    let folder = folder("hash");
    let path = folder.join("abc");
    std::fs::write(&path, "abc").unwrap();
    // FIPS 180-2, appendix B.1.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(sha256_of_file(&path).unwrap(), abc);
    let state = vec![("w".to_owned(), tensor([1.0, 2.0])), ("b".to_owned(), tensor([0.5]))];
    let weights = folder.join("model.safetensors");
    rushlight_serialize::safetensors::save_file(&weights, &state).unwrap();
    assert_eq!(sha256_of_tensors(&state).unwrap(), sha256_of_file(&weights).unwrap());
    let other = vec![("w".to_owned(), tensor([1.0, 2.0])), ("b".to_owned(), tensor([-0.5]))];
    assert_ne!(sha256_of_tensors(&other).unwrap(), sha256_of_tensors(&state).unwrap());
    std::fs::remove_dir_all(&folder).unwrap();
}
