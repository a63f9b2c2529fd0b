//! NVIDIA's run-time compiler, NVRTC 12.0, by its C interface. Later ones write PTX that older drivers refuse.

use libloading::{Library, Symbol};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

/// The environment variable that names the library.
const PATH: &str = "RUSHLIGHT_NVRTC";

const ADVICE: &str = "the compiler NVRTC 12.0 is needed; to get it:
  pip download --no-deps --only-binary=:all: -d target/nvrtc nvidia-cuda-nvrtc-cu12==12.0.140
  unzip -d target/nvrtc target/nvrtc/*.whl
  export RUSHLIGHT_NVRTC=$PWD/target/nvrtc/nvidia/cuda_nvrtc/lib/libnvrtc.so.12";

type Program = *mut c_void;
type Create = unsafe extern "C" fn(
    *mut Program,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> c_int;
type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Text = unsafe extern "C" fn(Program, *mut c_char) -> c_int;
type Destroy = unsafe extern "C" fn(*mut Program) -> c_int;
type Version = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;
type Explain = unsafe extern "C" fn(c_int) -> *const c_char;

pub(crate) struct Compiler(Library);

impl Compiler {
    pub(crate) fn open() -> Result<Compiler, String> {
        let path = std::env::var_os(PATH).unwrap_or_else(|| "libnvrtc.so.12".into());
        // SAFETY: NVRTC is made to be loaded by any program.
        let library = unsafe { Library::new(&path) }.map_err(|error| format!("{error}\n{ADVICE}"))?;
        let compiler = Compiler(library);
        let (mut major, mut minor) = (0, 0);
        let version: Symbol<'_, Version> = compiler.function("nvrtcVersion")?;
        // SAFETY: it writes two numbers.
        unsafe { version(&raw mut major, &raw mut minor) };
        if (major, minor) != (12, 0) {
            return Err(format!("{} is NVRTC {major}.{minor}\n{ADVICE}", path.display()));
        }
        Ok(compiler)
    }

    fn function<T>(&self, name: &str) -> Result<Symbol<'_, T>, String> {
        // SAFETY: the types above are those of NVRTC's header.
        unsafe { self.0.get(name.as_bytes()) }.map_err(|error| format!("{error}\n{ADVICE}"))
    }

    /// PTX, or what the compiler has against the source.
    pub(crate) fn compile(&self, source: &str, name: &str, options: &[&str]) -> Result<String, String> {
        let text = |text: &str| CString::new(text).map_err(|error| format!("{name}: {error}"));
        let (source, title) = (text(source)?, text(name)?);
        let options: Vec<CString> = options.iter().map(|option| text(option)).collect::<Result<_, _>>()?;
        let options: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
        let create: Symbol<'_, Create> = self.function("nvrtcCreateProgram")?;
        let compile: Symbol<'_, Compile> = self.function("nvrtcCompileProgram")?;
        let destroy: Symbol<'_, Destroy> = self.function("nvrtcDestroyProgram")?;
        let explain: Symbol<'_, Explain> = self.function("nvrtcGetErrorString")?;
        let mut program: Program = ptr::null_mut();
        // SAFETY: texts that end with zero and outlive the program, no headers, and a place for the handle.
        let made =
            unsafe { create(&raw mut program, source.as_ptr(), title.as_ptr(), 0, ptr::null(), ptr::null()) };
        let code = if made == 0 {
            // SAFETY: the program was just made, and the options are texts that end with zero and outlive the call.
            unsafe { compile(program, options.len() as c_int, options.as_ptr()) }
        } else {
            made
        };
        let result = if code == 0 {
            self.text(program, "nvrtcGetPTXSize", "nvrtcGetPTX")
        } else {
            // SAFETY: a text of the compiler, which ends with zero.
            let reason = unsafe { CStr::from_ptr(explain(code)) }.to_string_lossy().into_owned();
            let log = self.text(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog").unwrap_or_default();
            Err(format!("{name}: {reason}\n{log}"))
        };
        // SAFETY: the program is used no more.
        unsafe { destroy(&raw mut program) };
        result
    }

    fn text(&self, program: Program, size: &str, get: &str) -> Result<String, String> {
        let size: Symbol<'_, Size> = self.function(size)?;
        let get: Symbol<'_, Text> = self.function(get)?;
        let mut bytes = 0;
        // SAFETY: a program of the compiler, and a place for the number.
        unsafe { size(program, &raw mut bytes) };
        let mut text = vec![0u8; bytes];
        // SAFETY: as many bytes as it asked for.
        unsafe { get(program, text.as_mut_ptr().cast()) };
        text.truncate(text.iter().position(|&byte| byte == 0).unwrap_or(bytes));
        String::from_utf8(text).map_err(|error| error.to_string())
    }
}
