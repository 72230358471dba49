//! The table that Lanner comes with.
//!
//! Promises: static text, without anything of an event; every technique that the mapping names and every category has an
//! entry; each has the same four sentences: what it may mean, what to check, how to contain, how to tune if benign.

use super::techniques::TECHNIQUES;

/// Name and version of the table: the first part of the ids. A change of what is advised is a new version.
pub(super) const TABLE: &str = "lanner-1";

/// What to do, and about what.
pub(super) struct Advice {
    /// The ids or names it is for; the first names it.
    pub about: &'static [&'static str],
    sentences: [&'static str; 4],
}

pub(super) const fn advice(
    about: &'static [&'static str],
    means: &'static str,
    check: &'static str,
    contain: &'static str,
    tune: &'static str,
) -> Advice {
    Advice { about, sentences: [means, check, contain, tune] }
}

impl Advice {
    pub fn id(&self) -> String {
        format!("{TABLE}/{}", self.about.first().copied().unwrap_or_default())
    }

    pub fn text(&self) -> String {
        self.sentences.join(" ")
    }
}

/// By kind, in the order in which they are asked.
pub(super) fn tables() -> [&'static [Advice]; 3] {
    [RULES, TECHNIQUES, CATEGORIES]
}

/// For rules of Falco's stable set about which more can be said than about their technique.
static RULES: &[Advice] = &[
    advice(
        &["Terminal shell in container"],
        "Somebody has an interactive shell in a container.",
        "Check who opened it (look for an exec in the cluster's audit log at that time) and the commands that followed.",
        "Contain by isolating the pod with a network policy, then replace it.",
        "If operators work this way, except their namespace, or give them debug containers that are logged.",
    ),
    advice(
        &["Drop and execute new binary in container"],
        "A program ran that is not part of the image, a strong sign of an intruder.",
        "Check its hash and origin, the process that wrote it and its connections.",
        "Contain by isolating the pod at once, keep the file, replace the pod and make its file system read-only.",
        "If the workload updates itself, bake the update into the image; except its path until then.",
    ),
    advice(
        &["Contact K8S API Server From Container"],
        "A container talks to the cluster's API although it is not known to need it.",
        "Check its service account, what that may do, and its requests in the audit log.",
        "Contain by switching off the automatic mount of the token and narrowing the role.",
        "If it is a controller or operator, add its image to the rule's allowed ones.",
    ),
];

/// For the categories of the mapping.
static CATEGORIES: &[Advice] = &[
    advice(
        &["ControlPlane"],
        "Something was asked of the cluster or cloud that is worth a look.",
        "Check the user, the source address, the object and whether the answer was a success.",
        "Contain by revoking the user's tokens and undoing the change.",
        "If a controller or deployment tool does it, except its account.",
    ),
    advice(
        &["PrivilegeEscalation"],
        "A process may be getting more rights than it was given.",
        "Check user, capabilities and mounts before and after, and what ran with the new rights.",
        "Contain by isolating the workload and checking the node it runs on.",
        "If the program needs the rights by design, except its image and path.",
    ),
    advice(
        &["CredentialAccess"],
        "Passwords, keys or tokens may be in the wrong hands.",
        "Check which credentials could be read, by which process, and where they were used since.",
        "Contain by rotating them and ending open sessions.",
        "If the program reads its own credentials, except exactly that.",
    ),
    advice(
        &["Persistence"],
        "Something was prepared to survive a restart or a new login.",
        "Check what was written, by which process, and when it would run.",
        "Contain by removing it and replacing the container or host from a clean image.",
        "If an installation does it, except its process.",
    ),
    advice(
        &["DefenseEvasion"],
        "Somebody may be hiding what is going on.",
        "Check what was hidden or switched off, and the events just before.",
        "Contain by isolating the workload and keeping evidence outside its reach.",
        "If it is a routine such as log rotation, except its process and files.",
    ),
    advice(
        &["Impact"],
        "Data, computing power or availability may be harmed.",
        "Check what is affected, how far it has spread and whether backups are sound.",
        "Contain by stopping the cause and its credentials before restoring.",
        "If a planned job does it, except its command.",
    ),
    advice(
        &["Network"],
        "An unexpected connection was made or tried.",
        "Check the peer, the port, the process and the amount of data.",
        "Contain with a network policy that allows the workload only what it needs.",
        "If the connection is legitimate, except its destination for this workload.",
    ),
    advice(
        &["FileSystem"],
        "A sensitive file was read, written or removed.",
        "Check the path, the process and user, and what happened to the file next.",
        "Contain by restoring it, or by rotating the secrets in it, and make the file system read-only.",
        "If the program owns the file, except that pair.",
    ),
    advice(
        &["Execution"],
        "A process ran that is unusual for this workload.",
        "Check its command line, its parent and where the executable came from.",
        "Contain by isolating the workload, and replace it.",
        "If it is part of normal operation, except its parent and command.",
    ),
    advice(
        &["Other"],
        "A rule found something that has no category.",
        "Check the rule's description and the fields of the alert.",
        "Contain by isolating the workload if you cannot explain it.",
        "If it is benign, add an exception to the rule, and tags, so that it is sorted next time.",
    ),
];
