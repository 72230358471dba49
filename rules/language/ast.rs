//! The tree of a condition.

use super::Span;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// What a condition is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprKind {
    /// All of two or more.
    And(Vec<Expr>),
    /// One of two or more.
    Or(Vec<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// `field exists`.
    Exists(Operand),
    /// `field operator value`. In a box, so that the parser's frames stay small.
    Compare(Box<Comparison>),
    /// The name of a macro.
    Macro(String),
}

/// `field operator value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Left side.
    pub left: Operand,
    /// The comparison.
    pub operator: Operator,
    /// How many values must satisfy it.
    pub modifier: Option<Modifier>,
    /// Right side.
    pub right: Right,
}

/// A field or what a transformer makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A field.
    Field(FieldRef),
    /// A transformer.
    Transform(Transform),
}

impl Operand {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Field(field) => field.span,
            Self::Transform(transform) => transform.span,
        }
    }
}

/// `name` or `name[argument]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRef {
    /// The name, with at least one dot.
    pub name: String,
    /// What stands in brackets.
    pub argument: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// `transformer(arguments)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transform {
    /// Which one.
    pub transformer: Transformer,
    /// At least one.
    pub arguments: Vec<Argument>,
    /// What stands in brackets behind it.
    pub key: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// An argument of a transformer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A quoted string or a number: its text.
    Text(Value),
    /// `(a, b)`; its members are no lists.
    List(Vec<Argument>, Span),
    /// A field or a transformer.
    Operand(Operand),
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// One text or number.
    Value(Value),
    /// `(a, b)`, and `word` behind a list operator.
    List(Vec<Value>, Span),
    /// `val(field)`, and where it stands with its `val`.
    Field(FieldRef, Span),
    /// A transformer.
    Transform(Transform),
}

/// A text of a condition, escapes resolved. Bytes, since `\xHH` may write any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The text.
    pub text: Vec<u8>,
    /// Where it stands, quotes included.
    pub span: Span,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// All of them, in the order in which they are tried.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As it is written.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The one that is written so.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.word() == word)
            }
        }
    };
}

words! {
    /// A comparison. The order is that in which they are tried: `<=` before `<`.
    Operator {
        /// `<=`
        LessOrEqual = "<=",
        /// `<`
        Less = "<",
        /// `>=`
        GreaterOrEqual = ">=",
        /// `>`
        Greater = ">",
        /// `==`, the same as `=`; kept apart so that a condition prints as it was written.
        EqualTwice = "==",
        /// `=`
        Equal = "=",
        /// `!=`
        NotEqual = "!=",
        /// `glob`: `*`, `?`, `[..]`.
        Glob = "glob",
        /// `iglob`: the same without case.
        Iglob = "iglob",
        /// `contains`
        Contains = "contains",
        /// `icontains`: without case.
        Icontains = "icontains",
        /// `bcontains`: the bytes of a hexadecimal number.
        Bcontains = "bcontains",
        /// `startswith`
        StartsWith = "startswith",
        /// `bstartswith`: the bytes of a hexadecimal number.
        BstartsWith = "bstartswith",
        /// `endswith`
        EndsWith = "endswith",
        /// `regex`: matches the whole text.
        Regex = "regex",
        /// `intersects`: at least one value is in the list.
        Intersects = "intersects",
        /// `in`: all values are in the list.
        In = "in",
        /// `pmatch`: a path of the list is a prefix.
        Pmatch = "pmatch",
    }
}

impl Operator {
    /// `< <= > >=`: takes a number.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::LessOrEqual | Self::Less | Self::GreaterOrEqual | Self::Greater)
    }

    /// `in`, `intersects`, `pmatch`: takes a list.
    pub fn takes_list(self) -> bool {
        matches!(self, Self::Intersects | Self::In | Self::Pmatch)
    }
}

words! {
    /// How many values of a list must satisfy a comparison. None satisfies an empty list.
    Modifier {
        /// Exactly one.
        Oneof = "oneof",
        /// At least one.
        Anyof = "anyof",
        /// Every one.
        Allof = "allof",
    }
}

words! {
    /// What can be made of a field.
    Transformer {
        /// ASCII lower case.
        Tolower = "tolower",
        /// ASCII upper case.
        Toupper = "toupper",
        /// Base64 decoded.
        B64 = "b64",
        /// What follows the last `/`.
        Basename = "basename",
        /// Bytes of a text, members of a list.
        Len = "len",
        /// A list as one text.
        Join = "join",
        /// Texts, one behind the other.
        Concat = "concat",
        /// The options of a command line.
        Getopt = "getopt",
    }
}
