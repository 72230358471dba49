//! Findings about rule files.

use crate::language::Place;
use std::{fmt, sync::Arc};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The file is not loaded.
    Error,
    /// The file is loaded.
    Warning,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)+) => {
        /// What kind of finding it is; the names are Falco's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)+ }

        impl Code {
            /// As Falco writes it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }
        }
    };
}

codes! {
    /// The file cannot be read. (Reported by who reads files; [`super::Loader`] takes texts.)
    FileRead = "LOAD_ERR_FILE_READ",
    /// The text is no YAML.
    YamlParse = "LOAD_ERR_YAML_PARSE",
    /// The YAML is no rule file.
    YamlValidate = "LOAD_ERR_YAML_VALIDATE",
    /// A condition does not compile.
    CompileCondition = "LOAD_ERR_COMPILE_CONDITION",
    /// An output does not compile.
    CompileOutput = "LOAD_ERR_COMPILE_OUTPUT",
    /// Items do not fit together.
    Validate = "LOAD_ERR_VALIDATE",
    /// Larger than is read. (Not one of Falco's.)
    TooLarge = "LOAD_ERR_TOO_LARGE",
    /// A rule of a source that is not there.
    UnknownSource = "LOAD_UNKNOWN_SOURCE",
    /// A comparison with `<NA>`.
    UnsafeNaCheck = "LOAD_UNSAFE_NA_CHECK",
    /// A condition that most system calls have to be tried for.
    NoEventType = "LOAD_NO_EVTTYPE",
    /// A rule that is skipped because of something unknown.
    UnknownFilter = "LOAD_UNKNOWN_FILTER",
    /// A macro that nothing uses.
    UnusedMacro = "LOAD_UNUSED_MACRO",
    /// A list that nothing uses.
    UnusedList = "LOAD_UNUSED_LIST",
    /// An item that is nothing known.
    UnknownItem = "LOAD_UNKNOWN_ITEM",
    /// A key that an item of its kind does not have.
    UnknownKey = "LOAD_UNKNOWN_KEY",
    /// Something that should not be used any more.
    DeprecatedItem = "LOAD_DEPRECATED_ITEM",
    /// An exception that is appended to without values.
    AppendNoValues = "LOAD_APPEND_NO_VALUES",
    /// Two exceptions of one name.
    ExceptionNameNotUnique = "LOAD_EXCEPTION_NAME_NOT_UNIQUE",
    /// A macro's name that no condition can use.
    InvalidMacroName = "LOAD_INVALID_MACRO_NAME",
    /// A list's name that no condition can use.
    InvalidListName = "LOAD_INVALID_LIST_NAME",
    /// A condition that compiles and is probably not meant.
    ConditionWarning = "LOAD_COMPILE_CONDITION",
    /// Something that loads as in Falco and probably surprises. (Not one of Falco's.)
    Surprise = "LOAD_SURPRISE",
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What kind.
    pub code: Code,
    /// What is wrong and what to do.
    pub message: String,
    /// What it is about: `rule`, `macro`, `list`, `exception`, `rules content`...
    pub item_type: &'static str,
    /// The name of that item.
    pub item_name: Option<String>,
    /// The file.
    pub file: Arc<str>,
    /// Where in the file.
    pub place: Place,
    /// The line, and carets under what it is about.
    pub excerpt: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.severity == Severity::Error { "error" } else { "warning" };
        let Place { line, column } = self.place;
        writeln!(f, "{severity}[{}]: {}", self.code.name(), self.message)?;
        let file = crate::language::shown(&self.file);
        match &self.item_name {
            Some(name) => {
                let name = crate::language::shown(name);
                write!(f, "  --> {file}:{line}:{column} ({} \"{name}\")", self.item_type)?;
            }
            None => write!(f, "  --> {file}:{line}:{column}")?,
        }
        if self.excerpt.is_empty() { Ok(()) } else { write!(f, "\n{}", self.excerpt) }
    }
}
