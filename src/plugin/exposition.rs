//! Prometheus' text format, version 0.0.4: families of samples with help and type.

use std::fmt::Write;

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows. The family's name ends with `_total`.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Counts by upper bound.
    Histogram,
}

/// A label's name and value.
pub type Label<'a> = (&'static str, &'a str);

/// The text of all families so far.
#[derive(Default)]
pub struct Exposition {
    text: String,
}

/// The current family.
pub struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Exposition {
    /// Begins a family. Its samples must precede the next family.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { text: &mut self.text, name }
    }

    /// Returns the text.
    pub fn finish(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// Writes a sample.
    pub fn sample(&mut self, labels: &[Label<'_>], value: f64) {
        self.line("", labels, value);
    }

    /// Writes a histogram: the cumulative counts for the upper bounds `ends`, the total count and
    /// the sum of all values.
    pub fn histogram(
        &mut self,
        labels: &[Label<'_>],
        ends: &[f64],
        within: &[u64],
        count: u64,
        sum: f64,
    ) {
        for (end, within) in ends.iter().zip(within) {
            let end = end.to_string();
            self.line("_bucket", &[labels, &[("le", end.as_str())]].concat(), *within as f64);
        }
        self.line("_bucket", &[labels, &[("le", "+Inf")]].concat(), count as f64);
        self.line("_sum", labels, sum);
        self.line("_count", labels, count as f64);
    }

    fn line(&mut self, suffix: &str, labels: &[Label<'_>], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{}{suffix}{labels} {value}", self.name);
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_help_type_and_samples_with_escaped_labels() {
        let mut exposition = Exposition::default();
        exposition
            .family("a_total", Kind::Counter, "Back\\slash\nand line.")
            .sample(&[("path", "a\"b\\c\nd")], 3.0);
        exposition.family("b_seconds", Kind::Histogram, "Times.").histogram(
            &[("org", "1")],
            &[0.5, 2.0],
            &[1, 3],
            4,
            9.5,
        );
        insta::assert_snapshot!(exposition.finish(), @r#"
        # HELP a_total Back\\slash\nand line.
        # TYPE a_total counter
        a_total{path="a\"b\\c\nd"} 3
        # HELP b_seconds Times.
        # TYPE b_seconds histogram
        b_seconds_bucket{org="1",le="0.5"} 1
        b_seconds_bucket{org="1",le="2"} 3
        b_seconds_bucket{org="1",le="+Inf"} 4
        b_seconds_sum{org="1"} 9.5
        b_seconds_count{org="1"} 4
        "#);
    }
}
