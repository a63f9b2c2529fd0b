//! Good and bad servers on the loopback interface.

use super::*;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const CONTENT: &[u8] = b"the ten thousand things";

/// The sum is that of `sha256sum`.
const KNOWN: Known = Known {
    name: "things.bin",
    size: 23,
    sha256: "b968177f2e404d499f817ad956fbf68ddfc05bdad38e7ffe7d261ec0ff42c1af",
};

/// A server that answers by the first part of the path; it lives as long as the process.
fn server() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            counter.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || answer(stream));
        }
    });
    (address, asked)
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut request = String::new();
    reader.read_line(&mut request).unwrap();
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
        line.clear();
    }
    let behaviour = request.split('/').nth(1).unwrap_or_default().to_string();
    let ok =
        |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let mut wrong = CONTENT.to_vec();
    wrong[4] ^= 1;
    let mut send = |parts: &[&[u8]]| parts.iter().for_each(|part| drop(stream.write_all(part)));
    match behaviour.as_str() {
        "good" => send(&[ok(23).as_bytes(), CONTENT]),
        "gone" => send(&[b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]),
        "short" => send(&[ok(23).as_bytes(), &CONTENT[..9]]),
        "other" => send(&[ok(9).as_bytes(), &CONTENT[..9]]),
        "wrong" => send(&[ok(23).as_bytes(), &wrong]),
        "endless" => {
            send(&[b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"]);
            while stream.write_all(CONTENT).is_ok() {}
        }
        "stall" => {
            send(&[ok(23).as_bytes(), &CONTENT[..9]]);
            std::thread::sleep(Duration::from_secs(60));
        }
        _ => std::thread::sleep(Duration::from_secs(60)),
    }
}

/// A folder for one test, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("rushlight-download-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }

    fn files(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.0) else { return Vec::new() };
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn fetch_by(folder: &Folder, mirrors: &[String]) -> Result<PathBuf> {
    fetch("Things", &KNOWN, mirrors, &folder.0, Duration::from_millis(400))
}

#[test]
fn a_good_file_comes_once_and_alone() {
    let (address, asked) = server();
    let folder = Folder::new("good");
    for _ in 0..2 {
        let path = fetch_by(&folder, &[format!("{address}/good/")]).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), CONTENT);
    }
    assert_eq!((folder.files(), asked.load(Ordering::Relaxed)), (vec!["things.bin".to_string()], 1));
}

/// Each way to fail, what is said of it, and that it takes no longer than the patience allows.
#[test]
fn a_download_that_fails_leaves_nothing_and_says_what_to_do() {
    let (address, _) = server();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sum = KNOWN.sha256;
    let mut other = CONTENT.to_vec();
    other[4] ^= 1;
    let other: String = Sha256::digest(other).iter().map(|byte| format!("{byte:02x}")).collect();
    let cases = [
        (format!("{address}/gone/"), "404".to_string()),
        (format!("{address}/short/"), "of 23 bytes".to_string()),
        (format!("{address}/other/"), "expected 23 bytes, found 9".to_string()),
        (format!("{address}/wrong/"), format!("expected SHA-256 {sum}, found {other}")),
        (format!("{address}/endless/"), "expected 23 bytes, found more".to_string()),
        (format!("{address}/stall/"), "after 9 of 23 bytes: timeout".to_string()),
        (format!("{address}/silent/"), "timeout".to_string()),
        (format!("http://{closed}/"), "refused".to_string()),
    ];
    let folder = Folder::new("bad");
    for (mirror, cause) in &cases {
        let start = Instant::now();
        let said = fetch_by(&folder, std::slice::from_ref(mirror)).unwrap_err().to_string();
        assert!(start.elapsed() < Duration::from_secs(20), "{mirror} took {:?}", start.elapsed());
        let (head, tail) = said.split_once(&format!("\n  {mirror}things.bin: ")).expect(&said);
        assert_eq!(head, "Things: the file 'things.bin' (23 bytes) could not be fetched:");
        let (found, way_out) = tail.split_once('\n').unwrap();
        assert!(found.to_lowercase().contains(&cause.to_lowercase()), "{mirror}: {found}");
        let path = folder.0.join("things.bin");
        let expected = format!(
            "Put it at {} by hand, or name a folder that has it by --data DIR or RUSHLIGHT_DATA.",
            path.display()
        );
        assert_eq!(way_out, expected);
        assert_eq!(folder.files(), [""; 0], "{mirror} left something");
    }
    // All of them before a good one, each with its own cause if the good one is left out.
    let mut mirrors: Vec<String> = cases.iter().map(|(mirror, _)| mirror.clone()).collect();
    let said = fetch_by(&folder, &mirrors).unwrap_err().to_string();
    assert_eq!(said.matches("\n  http://").count(), cases.len());
    mirrors.push(format!("{address}/good/"));
    assert_eq!(std::fs::read(fetch_by(&folder, &mirrors).unwrap()).unwrap(), CONTENT);
    assert_eq!(folder.files(), ["things.bin"]);
}

#[test]
fn a_file_of_another_size_in_the_cache_is_fetched_again() {
    let (address, _) = server();
    let folder = Folder::new("old");
    std::fs::create_dir_all(&folder.0).unwrap();
    std::fs::write(folder.0.join("things.bin"), b"half").unwrap();
    let path = fetch_by(&folder, &[format!("{address}/good/")]).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), CONTENT);
}

#[test]
fn without_a_mirror_the_way_out_is_still_said() {
    let folder = Folder::new("none");
    let said = fetch_by(&folder, &[]).unwrap_err().to_string();
    assert!(said.contains("could not be fetched:\nPut it at"), "{said}");
}

#[test]
fn a_given_folder_never_uses_the_network() {
    use crate::datasets::{CIFAR10, DataRoot, MNIST, Split};
    let (address, asked) = server();
    let folder = Folder::new("given");
    std::fs::create_dir_all(&folder.0).unwrap();
    let root = DataRoot::new(&folder.0).mirrors([format!("{address}/good/")]);
    for said in [
        MNIST::new(&root, Split::Test).unwrap_err().to_string(),
        CIFAR10::new(&root, Split::Test).unwrap_err().to_string(),
    ] {
        assert!(said.contains("a folder that was given is the only place looked at"), "{said}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let cached = DataRoot::cached().cache_dir(&folder.0).mirrors([format!("{address}/good/")]);
    let said = MNIST::new(&cached, Split::Test).unwrap_err().to_string();
    assert!(said.contains("expected 1648877 bytes, found 23"), "{said}");
    assert!(asked.load(Ordering::Relaxed) > 0);
}
