use super::PrintOptions;

/// The elements of a tensor, each asked for by its row-major index.
#[derive(Clone, Copy)]
pub(crate) enum Numbers<'a> {
    /// Of any float dtype; f16, bf16 and f32 as the f64 of the same value.
    Float(&'a dyn Fn(usize) -> f64),
    /// Of any integer dtype.
    Int(&'a dyn Fn(usize) -> i64),
    /// Of dtype bool.
    Bool(&'a dyn Fn(usize) -> bool),
}

/// The texts of the elements that are printed, padded on the left to one width.
pub(super) struct Column {
    pub(super) texts: Vec<String>,
    /// The width that decides how many fit a line. A text may be longer: zeros, infinities and NaN are not
    /// measured (`tensor([0., nan])` has width 1), and then nothing is padded to them.
    pub(super) width: usize,
}

/// The column of the elements at `indices`.
pub(super) fn column(numbers: Numbers<'_>, indices: &[usize], options: &PrintOptions) -> Column {
    let indices = indices.iter();
    match numbers {
        Numbers::Float(value) => float_column(&indices.map(|&i| value(i)).collect::<Vec<_>>(), options),
        Numbers::Int(value) => padded(indices.map(|&i| (value(i).to_string(), true)).collect()),
        Numbers::Bool(value) => {
            padded(indices.map(|&i| (if value(i) { "True" } else { "False" }.to_owned(), true)).collect())
        }
    }
}

fn float_column(values: &[f64], options: &PrintOptions) -> Column {
    let notation = Notation::of(values, options);
    padded(values.iter().map(|&value| (notation.text(value), is_measured(value))).collect())
}

/// Whether a float takes part in the choice of width and notation.
fn is_measured(value: f64) -> bool {
    value.is_finite() && value != 0.0
}

/// Pads each text to the longest of those marked as measured.
fn padded(texts: Vec<(String, bool)>) -> Column {
    let measured = texts.iter().filter(|(_, measured)| *measured);
    let width = measured.map(|(text, _)| text.len()).max().unwrap_or(1);
    let pad = |text: String| match width.saturating_sub(text.len()) {
        0 => text,
        missing => " ".repeat(missing) + &text,
    };
    Column { texts: texts.into_iter().map(|(text, _)| pad(text)).collect(), width }
}

/// How the floats of one tensor are written.
#[derive(Clone, Copy)]
enum Notation {
    /// `2.`, where all are integral.
    Whole,
    /// `2.5000`, with so many digits after the point.
    Fixed(usize),
    /// `2.5000e+00`, with so many digits after the point.
    Scientific(usize),
}

/// `std::fmt` counts digits in a u16 and panics where `{:e}` has more, the one before the point among them.
/// Nothing is lost: an f64 has at most 1074 decimals, the others are zeros.
const MAX_PRECISION: usize = u16::MAX as usize - 1;

impl Notation {
    fn of(values: &[f64], options: &PrintOptions) -> Notation {
        let measured = || values.iter().copied().filter(|&value| is_measured(value));
        if measured().next().is_none() {
            // Even where scientific notation was asked for.
            return Notation::Whole;
        }
        let min = measured().map(f64::abs).fold(f64::INFINITY, f64::min);
        let max = measured().map(f64::abs).fold(0.0, f64::max);
        let precision = options.precision.min(MAX_PRECISION);
        let wide = max / min > 1000.0 || max > 1e8 || min < 1e-4;
        if options.sci_mode.unwrap_or(wide) {
            Notation::Scientific(precision)
        } else if measured().all(|value| value == value.ceil()) {
            Notation::Whole
        } else {
            Notation::Fixed(precision)
        }
    }

    fn text(self, value: f64) -> String {
        if value.is_nan() {
            // Rust would write `NaN`.
            return "nan".to_owned();
        }
        match self {
            _ if value.is_infinite() => value.to_string(),
            Notation::Whole => format!("{value:.0}."),
            Notation::Fixed(precision) => format!("{value:.precision$}"),
            Notation::Scientific(precision) => scientific(value, precision),
        }
    }
}

/// C's `%.*e`: the exponent has a sign and at least two digits, where Rust writes `1.0e-5`.
fn scientific(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}
