//! A run card as a page in one file: no scripts, nothing that is fetched.

use super::{Curve, RunCard, chart};
use std::fmt::Write;

const STYLE: &str = "
:root { color-scheme: light dark; --back: #fbfbfa; --card: #fff; --text: #1d2126; --soft: #5b6470; --line: #dfe3e8;
  --c0: #1f6fb2; --c1: #c8511b; --c2: #2e8b57; --c3: #8a4fb0; --c4: #a67c00; --c5: #b3315f; }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --card: #1c2024; --text: #e6e9ec; --soft: #9aa4af;
  --line: #343b43; --c0: #62aeef; --c1: #f08a55; --c2: #5fc58d; --c3: #c08be3; --c4: #dcb545; --c5: #ee7ba4; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif; }
main { max-width: 1320px; margin: 0 auto; padding: 20px clamp(12px, 3vw, 36px) 48px; }
h1 { font-size: 26px; line-height: 1.25; margin: 8px 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 8px; overflow-wrap: anywhere; }
.lead { color: var(--soft); margin: 0 0 20px; overflow-wrap: anywhere; }
.cards { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); margin: 0 0 16px; }
.numbers { grid-template-columns: repeat(auto-fit, minmax(min(100%, 150px), 1fr)); }
.facts { columns: 380px; column-gap: 16px; } .facts section { break-inside: avoid; margin: 0 0 16px; }
section, .number { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; min-width: 0; }
.number b { display: block; font-size: 22px; font-weight: 600; overflow-wrap: anywhere; }
.number span { color: var(--soft); overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 13px; }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); }
.curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0 0 6px; padding: 0; list-style: none; color: var(--soft); }
.legend i { display: inline-block; width: 18px; height: 3px; border-radius: 2px; margin-right: 6px; vertical-align: middle; }
.warning { color: var(--c5); margin: 6px 0 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 4px 0; border-top: 1px solid var(--line); }
tr:first-child > * { border-top: 0; }
th { font-weight: 400; color: var(--soft); padding-right: 16px; width: 34%; overflow-wrap: anywhere; }
td { overflow-wrap: anywhere; }
code { font: 13px/1.5 ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; overflow-wrap: anywhere; }
";

/// Text as it may stand between tags and in attributes with quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // HTML has no form for other control characters.
            control if control.is_control() && control != '\n' && control != '\t' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

impl RunCard {
    /// The card as one HTML page, to be opened without a server: curves as SVG, colours by the reader's light or dark
    /// scheme, without scripts, and with a policy that forbids them. All texts of the card are escaped.
    pub fn to_html(&self) -> String {
        let colors: String = (0..chart::COLORS)
            .map(|i| {
                format!(
                    "path.c{i} {{ stroke: var(--c{i}); }} circle.c{i} {{ fill: var(--c{i}); }} i.c{i} {{ background: \
                     var(--c{i}); }}\n"
                )
            })
            .collect();
        let mut out = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-\
             Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{0}</title>\n<style>{STYLE}{colors}</style>\n\
             </head>\n<body>\n<main>\n<h1>{0}</h1>\n<p class=\"lead\">{1}</p>\n",
            escaped(&self.name),
            escaped(&self.lead()),
        );
        self.numbers(&mut out);
        self.charts(&mut out);
        out.push_str("<div class=\"facts\">\n");
        self.facts(&mut out);
        out + "</div>\n</main>\n</body>\n</html>\n"
    }

    fn lead(&self) -> String {
        let seed = self.seed.map_or_else(|| "no seed".to_owned(), |seed| format!("seed {seed}"));
        let outcome = match (&self.outcome[..], &self.weights_sha256) {
            ("", Some(_)) => "ended",
            ("", None) => "not ended",
            (outcome, _) => outcome,
        };
        format!("A training run with rushlight: {seed}, {} on {}, {outcome}.", self.dtype, self.device)
    }

    fn numbers(&self, out: &mut String) {
        if self.results.is_empty() {
            return;
        }
        out.push_str("<div class=\"cards numbers\">\n");
        for (name, number) in &self.results {
            let _ = writeln!(
                out,
                "<div class=\"number\"><b>{}</b><span>{}</span></div>",
                short(*number),
                escaped(name)
            );
        }
        out.push_str("</div>\n");
    }

    fn charts(&self, out: &mut String) {
        let mut titles: Vec<&str> = Vec::new();
        for curve in &self.curves {
            if !titles.contains(&curve.chart.as_str()) {
                titles.push(&curve.chart);
            }
        }
        out.push_str("<div class=\"cards\">\n");
        for title in titles {
            let curves: Vec<&Curve> = self.curves.iter().filter(|curve| curve.chart == title).collect();
            let _ = write!(out, "<section>\n<h2>{}</h2>\n<ul class=\"legend\">", escaped(title));
            for (index, curve) in curves.iter().enumerate() {
                let last = curve.points.last().map_or_else(String::new, |p| format!(" ({})", short(p.1)));
                let color = index % chart::COLORS;
                let _ = write!(out, "<li><i class=\"c{color}\"></i>{}{last}</li>", escaped(&curve.name));
            }
            let _ = writeln!(out, "</ul>\n{}", chart::svg(title, &curves));
            for curve in &curves {
                warning(curve, out);
            }
            out.push_str("</section>\n");
        }
        out.push_str("</div>\n");
    }

    fn facts(&self, out: &mut String) {
        let text = |name: &str, text: &str| (name.to_owned(), escaped(text));
        let code = |text: &str| format!("<code>{}</code>", escaped(text));
        let seed = self.seed.map_or_else(|| "none".to_owned(), |seed| seed.to_string());
        let hash = self.weights_sha256.as_deref().map_or_else(|| "not ended".to_owned(), code);
        let run = vec![
            text("seed", &seed),
            text("generator", &self.generator),
            text("dtype", &self.dtype),
            text("device", &self.device),
            text("threads", &self.threads.to_string()),
            text("workers", &self.workers.to_string()),
            ("command".to_owned(), code(&self.command.join(" "))),
            ("SHA-256 of the final weights".to_owned(), hash),
        ];
        table("Run", &run, out);
        let plain = |pairs: &[(String, String)]| pairs.iter().map(|(n, v)| text(n, v)).collect::<Vec<_>>();
        table("Settings", &plain(&self.settings), out);
        let hashes: Vec<_> = self.data.iter().map(|(name, hash)| (name.clone(), code(hash))).collect();
        table("Data, by SHA-256", &hashes, out);
        table("Versions", &plain(&self.versions), out);
    }
}

/// Says where a curve has its first gap.
fn warning(curve: &Curve, out: &mut String) {
    let mut gaps = curve.points.iter().filter(|point| !point.1.is_finite());
    let Some(first) = gaps.next() else { return };
    let more = match gaps.count() {
        0 => String::new(),
        count => format!(", and {count} more values are not finite"),
    };
    let (name, x) = (escaped(&curve.name), escaped(&curve.x));
    let _ = writeln!(
        out,
        "<p class=\"warning\">{name} is {} at {x} {}{more}.</p>",
        short(first.1),
        short(first.0)
    );
}

/// A table of names, which are escaped here, and of contents, which are HTML already.
fn table(title: &str, rows: &[(String, String)], out: &mut String) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "<section>\n<h2>{title}</h2>\n<table>");
    for (name, content) in rows {
        let _ = writeln!(out, "<tr><th scope=\"row\">{}</th><td>{content}</td></tr>", escaped(name));
    }
    out.push_str("</table>\n</section>\n");
}

/// A number with five digits.
fn short(number: f64) -> String {
    if !number.is_finite() {
        return format!("{number}");
    }
    if number != 0.0 && !(1e-4..1e7).contains(&number.abs()) {
        return format!("{number:.3e}");
    }
    let whole = number.abs().log10().floor().max(0.0) as usize + 1;
    let text = format!("{number:.*}", 5usize.saturating_sub(whole));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
