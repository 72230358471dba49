//! Interned names of the attributes that more than one component uses.

use crate::event::Key;
use std::sync::LazyLock;

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub static $name: LazyLock<Key> = LazyLock::new(|| Key::intern($text));)*
    };
}

keys! {
    /// The rule that fired.
    RULE = "security_rule.name";
    /// First category of the alert (`docs/mapping.md`, section 9).
    CATEGORY = "security_rule.category";
    /// All categories of the alert.
    CATEGORIES = "lanner.categories";
    /// Lower-case priority.
    PRIORITY = "falco.priority";
    /// Where the event came from: `syscall`, `k8s_audit`, a plugin's name, `internal`.
    SOURCE = "falco.source";
    /// The rule's tags, an array of text.
    TAGS = "falco.tags";
    /// A forwarder's id of the event; never its identity.
    FALCO_UUID = "falco.uuid";
    /// The rule's maturity, from its tag.
    MATURITY = "falco.rule.maturity";
    /// Deterministic id of the record.
    UID = "log.record.uid";
    /// The source text of the record.
    ORIGINAL = "log.record.original";
    /// The deprecated spelling of `event_name`; read, never written.
    EVENT_NAME = "event.name";
    /// Version of the mapping, on scopes.
    MAPPING = "lanner.mapping";
    /// The event says that it happens over a day from now.
    CLOCK_SKEW = "lanner.clock_skew";
    /// Made by the `generator` receiver.
    SYNTHETIC = "lanner.synthetic";
    THREAT_FRAMEWORK = "threat.framework";
    THREAT_TACTIC_ID = "threat.tactic.id";
    THREAT_TACTIC_NAME = "threat.tactic.name";
    THREAT_TECHNIQUE_ID = "threat.technique.id";
    THREAT_TECHNIQUE_NAME = "threat.technique.name";
    THREAT_SUBTECHNIQUE_ID = "threat.technique.subtechnique.id";
    THREAT_SUBTECHNIQUE_NAME = "threat.technique.subtechnique.name";
    /// `overlay` when the ATT&CK ids are Lanner's own judgement and not the rule's tags.
    THREAT_ORIGIN = "lanner.threat.origin";
    PCI_DSS = "falco.compliance.pci_dss";
    NIST_800_53 = "falco.compliance.nist_800_53";
    CIS = "falco.compliance.cis";
    /// Controls that a technique touches, by `categorize`.
    COMPLIANCE_PCI_DSS = "lanner.compliance.pci_dss";
    COMPLIANCE_NIST_800_53 = "lanner.compliance.nist_800_53";
    COMPLIANCE_CIS_CONTROLS = "lanner.compliance.cis_controls";
    /// What an investigation can go on with, by `categorize`: lists of text.
    INDICATORS_PROCESS = "lanner.indicators.process";
    INDICATORS_USER = "lanner.indicators.user";
    INDICATORS_CONTAINER = "lanner.indicators.container";
    INDICATORS_FILE = "lanner.indicators.file";
    INDICATORS_ADDRESS = "lanner.indicators.address";
    /// What to do: static text, never with a value of the event.
    RECOMMENDATION = "lanner.recommendation";
    RECOMMENDATION_ID = "lanner.recommendation.id";
    /// The priority before an override of `categorize`, in lower case.
    ORIGINAL_PRIORITY = "lanner.priority.original";
    AUDIT_STAGE = "k8s.audit.event.stage";
    SERVICE_NAME = "service.name";
    SERVICE_NAMESPACE = "service.namespace";
    HOST_NAME = "host.name";
    NODE_NAME = "k8s.node.name";
    CLUSTER_NAME = "k8s.cluster.name";
    NAMESPACE_NAME = "k8s.namespace.name";
    POD_NAME = "k8s.pod.name";
    POD_UID = "k8s.pod.uid";
    /// Name of the container in its pod.
    K8S_CONTAINER_NAME = "k8s.container.name";
    CONTAINER_ID = "container.id";
    CONTAINER_NAME = "container.name";
    CONTAINER_RUNTIME = "container.runtime.name";
    IMAGE_NAME = "container.image.name";
    IMAGE_TAGS = "container.image.tags";
    IMAGE_DIGESTS = "container.image.repo_digests";
    FILE_PATH = "file.path";
    FILE_NAME = "file.name";
    FILE_DIRECTORY = "file.directory";
    FILE_EXTENSION = "file.extension";
    EXECUTABLE_NAME = "process.executable.name";
    EXECUTABLE_PATH = "process.executable.path";
}

/// The lists of ATT&CK ids and names: tactics, techniques, sub-techniques.
pub static THREAT_LISTS: [&LazyLock<Key>; 6] = [
    &THREAT_TACTIC_ID,
    &THREAT_TACTIC_NAME,
    &THREAT_TECHNIQUE_ID,
    &THREAT_TECHNIQUE_NAME,
    &THREAT_SUBTECHNIQUE_ID,
    &THREAT_SUBTECHNIQUE_NAME,
];
