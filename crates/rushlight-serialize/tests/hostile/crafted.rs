//! Files made to harm: small ones that ask for much memory, much time, a deep stack or foreign code.

use super::parser;
use super::seal::{archive, pth_of, seal_checkpoint};
use std::time::{Duration, Instant};

/// What the file's parser says, in good time.
#[track_caller]
fn reason(form: &str, bytes: &[u8]) -> String {
    let start = Instant::now();
    let error = parser(form).check(bytes).unwrap_err().to_string();
    // A second for a few hundred kilobytes even without optimisation and on a loaded machine; quadratic work takes hours.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    error
}

#[track_caller]
fn refused(form: &str, bytes: &[u8], why: &str) {
    let reason = reason(form, bytes);
    assert!(reason.contains(why), "{reason}");
}

fn pickle(program: &[u8]) -> Vec<u8> {
    pth_of(&[b"\x80\x02", program].concat())
}

/// `BINUNICODE`.
fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

#[test]
fn a_pickle_calls_nothing() {
    let system = b"cos\nsystem\n(X\x04\x00\x00\x00echotR.";
    refused("pth", &pickle(system), "the file needs Python's `os.system`");
    refused("pth", &pickle(b"c__builtin__\neval\n."), "`__builtin__.eval`");
    // NEWOBJ, an instance of a class; INST; the extension registry; out-of-band buffers.
    for opcode in [0x81_u8, b'i', 0x82, 0x97] {
        refused("pth", &pickle(&[b'N', b')', opcode]), &format!("instruction 0x{opcode:02x}"));
    }
    let long = [b"c".to_vec(), vec![b'a'; 100_000], b"\nb\n.".to_vec()].concat();
    assert!(reason("pth", &pickle(&long)).len() < 1000);
}

#[test]
fn a_pickle_that_unfolds_without_end_is_refused() {
    // A list of two references to a list of two references to ...: 2^200 values.
    let mut laughs = b"]q\x00".to_vec();
    for level in 0..60_u8 {
        laughs.extend([b']', b'(', b'h', level, b'h', level, b'e', b'q', level + 1]);
    }
    laughs.push(b'.');
    // What is left on the stack beside the last list is an error of its own, so they go into one tuple.
    let laughs = [b"(", &laughs[..laughs.len() - 1], b"t."].concat();
    refused("pth", &pickle(&laughs), "unfolds to more than");
    let texts = [&b"]("[..], &text(&"a".repeat(1000)), b"q\x00", &b"h\x00".repeat(10_000), b"e."].concat();
    refused("pth", &pickle(&texts), "unfolds to more than");
    refused("pth", &pickle(b"]q\x00h\x00a."), "contain themselves");
    let deep = [vec![b']'; 200_000], vec![b'a'; 199_999], b".".to_vec()].concat();
    refused("pth", &pickle(&deep), "nested deeper than 64");
}

#[test]
fn a_long_argument_that_comes_again_and_again_takes_no_time() {
    let mut program = b"ctorch\ndevice\nq\x01(".to_vec();
    program.extend(vec![b'N'; 200_000]);
    program.extend(b"tq\x00");
    for _ in 0..50_000 {
        program.extend(b"h\x01h\x00R");
    }
    program.push(b'.');
    refused("pth", &pickle(&program), "not a tuple of at most 8");
    let mut program = b"c_codecs\nencode\nq\x01".to_vec();
    program.extend([&text(&"a".repeat(200_000))[..], b"q\x00]("].concat());
    for _ in 0..50_000 {
        program.extend(b"h\x01h\x00N\x86R");
    }
    program.extend(b"e.");
    assert!(reason("pth", &pickle(&program)).contains("left over"));
}

/// A pickle of one tensor over the storage of 16 bytes.
fn tensor(class: &str, len: &[u8], offset: &[u8], sizes: &[u8], strides: &[u8]) -> Vec<u8> {
    let storage = [
        &b"(("[..],
        &text("storage"),
        format!("ctorch\n{class}\n").as_bytes(),
        &text("0"),
        &text("cpu"),
        len,
        b"tQ",
    ]
    .concat();
    let rest = [offset, sizes, strides, b"\x89ccollections\nOrderedDict\n)RtR."].concat();
    pickle(&[b"ctorch._utils\n_rebuild_tensor_v2\n", &storage[..], &rest].concat())
}

#[test]
fn tensors_that_reach_outside_of_their_storage_are_refused() {
    let (four, sixteen): (&[u8], &[u8]) = (b"K\x04", b"K\x10");
    parser("pth")
        .check(&tensor("FloatStorage", four, b"K\x00", b"K\x02K\x02\x86", b"K\x02K\x01\x86"))
        .unwrap();
    let outside = "reaches outside of a storage of 4 elements";
    refused("pth", &tensor("FloatStorage", four, b"K\x01", b"K\x02K\x02\x86", b"K\x02K\x01\x86"), outside);
    refused("pth", &tensor("FloatStorage", four, b"K\x00", b"K\x02\x85", b"K\x04\x85"), outside);
    let largest = b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
    let huge = [&largest[..], b"\x85"].concat();
    refused("pth", &tensor("FloatStorage", four, largest, b"K\x02\x85", &huge), outside);
    refused(
        "pth",
        &tensor("FloatStorage", four, b"K\x00", &huge, b"K\x00\x85"),
        "more elements than can be counted",
    );
    let minus = b"J\xff\xff\xff\xff\x85";
    refused("pth", &tensor("FloatStorage", four, b"K\x03", b"K\x02\x85", minus), "-1 is not a size");
    refused(
        "pth",
        &tensor("FloatStorage", sixteen, b"K\x00", b")", b")"),
        "which are not 16 elements of float32",
    );
    refused("pth", &tensor("FloatStorage", largest, b"K\x00", b")", b")"), "elements of float32");
    refused("pth", &tensor("FloatStorage", four, b"K\x00", b"K\x02\x85", b")"), "has strides []");
}

#[test]
fn an_archive_that_makes_much_of_little_is_refused() {
    let npy = super::stored("plain.npy");
    let mut bytes = archive(&[("a.npy", &npy), ("b.npy", &npy)]);
    let entries: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(b"PK\x01\x02")).collect();
    parser("npz").check(&bytes).unwrap();
    // The same name and the same bytes twice.
    let mut twice = bytes.clone();
    let (first, second) =
        (twice[entries[0]..entries[1]].to_vec(), entries[1]..entries[1] + entries[1] - entries[0]);
    twice[second].copy_from_slice(&first);
    refused("npz", &twice, "the archive has `a.npy` twice");
    // Deflated to a terabyte.
    bytes[entries[0] + 10] = 8;
    bytes[entries[0] + 24..entries[0] + 28].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
    refused("npz", &bytes, "cannot have 4294967280 bytes from 152 deflated ones");
    refused("npz", &archive(&[("a.txt", b"")]), "`a.txt` in the archive is not a npy file");
    refused("pth", &archive(&[("a/b", b"")]), "no `data.pkl`");
    refused("pth", &archive(&[("a/data.pkl", b""), ("a/constants.pkl", b"")]), "TorchScript");
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn safetensors_headers_that_lie_are_refused() {
    let entry = |shape: &str, offsets: &str| {
        format!("{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}")
    };
    let one =
        |shape: &str, offsets: &str| safetensors(&format!("{{\"w\":{}}}", entry(shape, offsets)), &[0; 8]);
    parser("safetensors").check(&one("[2]", "[0,8]")).unwrap();
    refused("safetensors", &one("[3]", "[0,8]"), "shape [3] of F32 has 12 bytes, not 8");
    refused("safetensors", &one("[1]", "[4,8]"), "it would have to begin where the one before it ends");
    refused("safetensors", &one("[1]", "[0,4]"), "but the file has");
    refused("safetensors", &one("[2]", "[8,0]"), "end before they begin");
    refused(
        "safetensors",
        &one("[4294967296,4294967296]", "[0,8]"),
        "more dims or elements than can be counted",
    );
    refused(
        "safetensors",
        &one("[0,18446744073709551615]", "[0,8]"),
        "more dims or elements than can be counted",
    );
    refused("safetensors", &one("[-1]", "[0,8]"), "-1 is not a size");
    refused("safetensors", &one("[2]", "[18446744073709551600,18446744073709551608]"), "cannot be counted");
    let both = format!("{{\"a\":{0},\"b\":{0}}}", entry("[2]", "[0,8]"));
    refused("safetensors", &safetensors(&both, &[0; 8]), "it would have to begin");
    let twice = format!("{{\"a\":{0},\"a\":{0}}}", entry("[2]", "[0,8]"));
    refused("safetensors", &safetensors(&twice, &[0; 8]), "the header has `a` twice");
    let unknown = entry("[8]", "[0,8]").replace("F32", "F8_E4M3");
    refused(
        "safetensors",
        &safetensors(&format!("{{\"w\":{unknown}}}"), &[0; 8]),
        "has dtype F8_E4M3; known are",
    );
    refused("safetensors", &u64::MAX.to_le_bytes(), "at most 100000000 are allowed");
    refused(
        "safetensors",
        &safetensors(&format!("{{\"a\":{}", "[".repeat(200_000)), &[]),
        "nested deeper than 32",
    );
    refused(
        "safetensors",
        &safetensors(&format!("{{\"a\":[{}", "[],".repeat(100_000)), &[]),
        "expected a value",
    );
}

#[test]
fn npy_headers_that_lie_are_refused() {
    let npy =
        |text: &str| [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat();
    let shaped = |shape: &str| npy(&format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}"));
    refused("npy", &shaped("(1000000000000,)"), "needs 8000000000000 bytes, found 0");
    refused("npy", &shaped("(4294967296, 4294967296)"), "more dims or elements than can be counted");
    refused("npy", &shaped("(0, 9223372036854775807)"), "more dims or elements than can be counted");
    refused("npy", &shaped("(18446744073709551616,)"), "lacks a size");
    refused("npy", &shaped(&format!("({})", "1,".repeat(65))), "more dims or elements than can be counted");
    refused("npy", &npy("{'descr': '<f8', 'shape': ()}"), "no 'fortran_order'");
    refused("npy", &npy("{'descr': '|O', 'fortran_order': False, 'shape': ()}"), "numpy type '|O'");
    refused("npy", &npy("{'descr': '\u{e9}', 'fortran_order': False, 'shape': ()}"), "numpy type");
    refused(
        "npy",
        &npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': ()}"),
        "structured elements",
    );
    refused("npy", &npy("__import__('os')"), "lacks a `{`");
}

#[test]
fn checkpoint_headers_that_lie_are_refused_though_their_hashes_are_right() {
    let sealed = |header: &[u8]| {
        let mut bytes =
            [b"\x89RUSH\r\n\x1a\x01\0\0\0\0\0\0\0", &(header.len() as u64).to_le_bytes()[..]].concat();
        bytes.extend([0; 40]);
        bytes.extend(header);
        bytes.extend(vec![0; bytes.len().next_multiple_of(64) - bytes.len() + 32]);
        seal_checkpoint(&mut bytes);
        bytes
    };
    let nodes = |nodes: &[&[u8]], tensors: u64| {
        sealed(&[&(nodes.len() as u64).to_le_bytes(), &nodes.concat()[..], &tensors.to_le_bytes()].concat())
    };
    parser("checkpoint").check(&nodes(&[&[0]], 0)).unwrap();
    refused("checkpoint", &nodes(&[], 0), "cut short");
    refused("checkpoint", &nodes(&[&[0], &[0]], 0), "1 values belong to nothing");
    refused("checkpoint", &nodes(&[&[7, 255, 255, 255, 255]], 0), "cut short");
    refused(
        "checkpoint",
        &nodes(&[&[8, 1, 0, 0, 0], &[0], &[0]], 0),
        "a key is neither a text nor an integer",
    );
    refused("checkpoint", &nodes(&[&[6, 0, 0, 0, 0]], 0), "is not number 0 of the table");
    refused("checkpoint", &nodes(&[&[9]], 0), "no value has the kind 9");
    refused("checkpoint", &nodes(&[&[0]], u64::MAX), "the header cannot be read");
    refused("checkpoint", &nodes(&vec![&[7, 1, 0, 0, 0][..]; 100_000], 0), "nested deeper than 64");
    let key = [&[4, 1, 0, 0, 0, 0, 0, 0, 0, b'a'][..], &[0]].concat();
    refused(
        "checkpoint",
        &nodes(&[&[8, 2, 0, 0, 0], &key[..10], &[0], &key[..10], &[0]], 0),
        "`a` comes twice",
    );
    // A long key above many values: their paths must not be spelt out.
    let long = [&[4][..], &100_000_u64.to_le_bytes(), &[b'a'; 100_000]].concat();
    let many = [&[7, 160, 134, 1, 0][..], &[0; 100_000]].concat();
    let parts: [&[u8]; 3] = [&[8, 1, 0, 0, 0], &long, &many];
    let header = [&(100_003_u64).to_le_bytes(), &parts.concat()[..], &0_u64.to_le_bytes()].concat();
    parser("checkpoint").check(&sealed(&header)).unwrap();
    let mut later = nodes(&[&[0]], 0);
    later[8] = 2;
    refused("checkpoint", &later, "a checkpoint of version 2; this program reads version 1");
}

/// JSON that is deep, long, or has numbers without end: an error or a value, in time that is linear in its size.
#[test]
fn json_that_is_deep_or_long_ends_soon() {
    const SIZE: usize = 1 << 20;
    let json = parser("json");
    for open in ["[", "{\"a\":", "[{\"\":", " [ "] {
        let error = json.check(open.repeat(SIZE / open.len()).as_bytes()).unwrap_err().to_string();
        assert!(error.ends_with("JSON is nested deeper than 32 levels"), "{error}");
    }
    let deepest = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    json.check(deepest(32).as_bytes()).unwrap();
    assert!(json.check(deepest(33).as_bytes()).is_err());

    let digits = "9".repeat(SIZE);
    for huge in [digits.clone(), format!("-{digits}"), format!("1e{digits}"), format!("{digits}.5")] {
        let error = json.check(format!("[0, {huge}]").as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "json: byte 4: JSON: a number is out of the range of f64");
    }
    // Small ones are numbers: 0, and one that is rounded.
    for small in [format!("1e-{digits}"), format!("0.{digits}")] {
        json.check(small.as_bytes()).unwrap();
    }

    let list = |item: &str| format!("[{}{item}]", format!("{item},").repeat(SIZE / (item.len() + 1)));
    for item in ["0", "[]", "{}", "\"\"", "{\"a\":0}"] {
        json.check(list(item).as_bytes()).unwrap();
    }
    let names: Vec<String> = (0..SIZE / 12).map(|i| format!("\"{i:07}\":0")).collect();
    json.check(format!("{{{}}}", names.join(",")).as_bytes()).unwrap();
    let twice = format!("{{{},\"0000000\":1}}", names.join(","));
    let error = json.check(twice.as_bytes()).unwrap_err().to_string();
    assert!(error.ends_with("JSON: the name \"0000000\" comes twice in an object"), "{error}");
}
