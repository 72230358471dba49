//! `Registry`: the component types of a program, from explicit lists.

use super::{Factory, Kind};

/// A component type that not every build has.
#[derive(Clone, Copy, Debug)]
pub struct Optional {
    pub kind: Kind,
    pub type_name: &'static str,
    /// The cargo feature that builds it.
    pub feature: &'static str,
}

/// Every component type of Lanner that needs a cargo feature, so that a build without it can tell it from a slip of the pen.
pub const OPTIONAL: &[Optional] = &[
    Optional { kind: Kind::Receiver, type_name: "kafka", feature: "kafka" },
    Optional { kind: Kind::Exporter, type_name: "kafka", feature: "kafka" },
];

impl Optional {
    /// What to tell a user whose build does not have it.
    pub fn remedy(&self) -> String {
        format!("this build has no `{}`; build Lanner with `--features {}`", self.type_name, self.feature)
    }
}

/// The component types a program knows.
#[derive(Clone)]
pub struct Registry {
    factories: Vec<Factory>,
}

impl Registry {
    /// Joins the lists of several crates. Of two equal types the later one wins, so that a distribution can
    /// replace a built-in component.
    pub fn new<'a>(lists: impl IntoIterator<Item = &'a [Factory]>) -> Self {
        let mut factories: Vec<Factory> = Vec::new();
        for factory in lists.into_iter().flatten() {
            factories.retain(|known| known.kind != factory.kind || known.type_name != factory.type_name);
            factories.push(*factory);
        }
        factories.sort_by_key(|factory| (factory.kind, factory.type_name));
        Self { factories }
    }

    /// Finds a type by its name or an alias.
    pub fn find(&self, kind: Kind, type_name: &str) -> Option<&Factory> {
        let mut of_kind = self.of_kind(kind);
        of_kind
            .find(|factory| factory.type_name == type_name)
            .or_else(|| self.of_kind(kind).find(|factory| factory.aliases.contains(&type_name)))
    }

    /// The optional types that this program does not have.
    pub fn absent(&self) -> impl Iterator<Item = &'static Optional> {
        OPTIONAL.iter().filter(|optional| self.find(optional.kind, optional.type_name).is_none())
    }

    /// The types of one kind, by name.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Factory> {
        self.factories.iter().filter(move |factory| factory.kind == kind)
    }

    /// All types, by kind and name.
    pub fn all(&self) -> &[Factory] {
        &self.factories
    }
}
