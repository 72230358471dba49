//! The writer of both formats.
//!
//! Differences it takes care of: OpenMetrics names a counter's family without `_total`, knows `info` and `unknown`,
//! has `# UNIT` and `_created`, writes timestamps in seconds and ends with `# EOF`.

use super::{Family, Format, Kind, Number, Point, Series};
use std::fmt::{self, Write as _};

/// Writes all families. Each name must occur once.
pub fn write(families: &[Family], format: Format) -> String {
    let lines: usize = families.iter().map(|family| 2 + family.series.len()).sum();
    let mut out = Writer { out: String::with_capacity(lines * 96), open_metrics: format == Format::OpenMetrics };
    for family in families {
        // Writing into a string cannot fail; there is no error to pass on.
        let _ = out.family(family);
    }
    if out.open_metrics {
        out.out.push_str("# EOF\n");
    }
    out.out
}

struct Writer {
    out: String,
    open_metrics: bool,
}

impl Writer {
    fn family(&mut self, family: &Family) -> fmt::Result {
        if family.series.is_empty() {
            return Ok(());
        }
        let suffix = match family.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            _ => "",
        };
        // The text format knows families only by the name of their samples.
        let family_suffix = if self.open_metrics { "" } else { suffix };
        let name = &family.name;
        if !family.help.is_empty() {
            write!(self.out, "# HELP {name}{family_suffix} ")?;
            escape(&mut self.out, &family.help, self.open_metrics);
            self.out.push('\n');
        }
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::ExactCounter if self.open_metrics => "unknown",
            Kind::ExactCounter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
            Kind::Info if self.open_metrics => "info",
            Kind::Info => "gauge",
        };
        writeln!(self.out, "# TYPE {name}{family_suffix} {kind}")?;
        let unit = &family.unit;
        let has_unit = !unit.is_empty() && name.strip_suffix(unit.as_str()).is_some_and(|rest| rest.ends_with('_'));
        if self.open_metrics && has_unit && family.kind != Kind::Info {
            writeln!(self.out, "# UNIT {name} {unit}")?;
        }
        for series in &family.series {
            self.series(family, suffix, series)?;
        }
        Ok(())
    }

    fn series(&mut self, family: &Family, suffix: &str, series: &Series) -> fmt::Result {
        let name = &family.name;
        match &series.point {
            Point::Number(number) => self.sample(name, suffix, series, None, *number)?,
            Point::Histogram { buckets, sum, count } => {
                for (bound, below) in buckets {
                    self.sample(name, "_bucket", series, Some(("le", *bound)), unsigned(*below))?;
                }
                self.sample(name, "_bucket", series, Some(("le", f64::INFINITY)), unsigned(*count))?;
                if let Some(sum) = sum {
                    self.sample(name, "_sum", series, None, Number::Float(*sum))?;
                }
                self.sample(name, "_count", series, None, unsigned(*count))?;
            }
            Point::Summary { quantiles, sum, count } => {
                for (quantile, value) in quantiles {
                    self.sample(name, "", series, Some(("quantile", *quantile)), Number::Float(*value))?;
                }
                self.sample(name, "_sum", series, None, Number::Float(*sum))?;
                self.sample(name, "_count", series, None, unsigned(*count))?;
            }
        }
        let has_created = matches!(family.kind, Kind::Counter | Kind::Histogram | Kind::Summary);
        if self.open_metrics && has_created && series.created > 0 {
            self.out.push_str(name);
            self.out.push_str("_created");
            self.labels(series, None)?;
            writeln!(self.out, " {}.{:09}", series.created / 1_000_000_000, series.created % 1_000_000_000)?;
        }
        Ok(())
    }

    fn sample(
        &mut self,
        name: &str,
        suffix: &str,
        series: &Series,
        extra: Option<(&str, f64)>,
        value: Number,
    ) -> fmt::Result {
        self.out.push_str(name);
        self.out.push_str(suffix);
        self.labels(series, extra)?;
        self.out.push(' ');
        match value {
            Number::Int(number) => write!(self.out, "{number}")?,
            Number::Float(number) => float(&mut self.out, number, false)?,
        }
        if let Some(millis) = series.timestamp_ms {
            if self.open_metrics {
                let sign = if millis < 0 { "-" } else { "" };
                let millis = millis.unsigned_abs();
                write!(self.out, " {sign}{}.{:03}", millis / 1000, millis % 1000)?;
            } else {
                write!(self.out, " {millis}")?;
            }
        }
        self.out.push('\n');
        Ok(())
    }

    fn labels(&mut self, series: &Series, extra: Option<(&str, f64)>) -> fmt::Result {
        let mut separator = '{';
        for (name, value) in &series.labels {
            self.out.push(separator);
            separator = ',';
            write!(self.out, "{name}=\"")?;
            escape(&mut self.out, value, true);
            self.out.push('"');
        }
        if let Some((name, value)) = extra {
            self.out.push(separator);
            separator = ',';
            write!(self.out, "{name}=\"")?;
            float(&mut self.out, value, self.open_metrics)?;
            self.out.push('"');
        }
        if separator == ',' {
            self.out.push('}');
        }
        Ok(())
    }
}

fn unsigned(count: u64) -> Number {
    i64::try_from(count).map_or(Number::Float(count as f64), Number::Int)
}

/// OpenMetrics wants bounds and quantiles with a point (`1.0`), so that every producer writes the same label.
fn float(out: &mut String, number: f64, canonical: bool) -> fmt::Result {
    if number.is_nan() {
        out.push_str("NaN");
    } else if number.is_infinite() {
        out.push_str(if number > 0.0 { "+Inf" } else { "-Inf" });
    } else if number != 0.0 && !(1e-5..1e17).contains(&number.abs()) {
        write!(out, "{number:e}")?;
    } else if canonical {
        write!(out, "{number:?}")?;
    } else {
        write!(out, "{number}")?;
    }
    Ok(())
}

/// Label values and OpenMetrics help escape quotes; the text format's help does not.
fn escape(out: &mut String, text: &str, quotes: bool) {
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            // Valid in the format, but some scrapers end a line here.
            '\r' => out.push(' '),
            _ => out.push(letter),
        }
    }
}
