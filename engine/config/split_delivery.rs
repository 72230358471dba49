//! The engine's keys of an exporter: taken out of its body, checked, and filled with the type's defaults.

use super::{
    DeadLettersConfig, DeliveryConfig, DeliveryDefaults, Diagnostic, Duration, Node, NodeValue, OnFull, PlanCx, Sizer,
    check::SchemaDoc, codes, node::Path, plan_cx::DELIVERY_KEYS,
};

impl PlanCx<'_> {
    /// Takes the engine's keys out of an exporter's body and plans them. The second is `None` after an error.
    pub(crate) fn split_delivery(&mut self, body: &Node) -> (Node, Option<DeliveryConfig>) {
        let NodeValue::Map(entries) = &body.value else {
            // Null is all defaults; anything else is reported by the decode of the component's own keys.
            return (body.clone(), Some(filled(DeliveryConfig::default(), self.delivery)));
        };
        let (engines, own): (Vec<_>, Vec<_>) =
            entries.iter().cloned().partition(|(key, _)| DELIVERY_KEYS.contains(&&*key.text));
        let map = |entries| Node { origin: body.origin.clone(), value: NodeValue::Map(entries) };
        let before = self.findings.len();
        let engines = map(engines);
        let config = self.decode_with(&engines, &Path::default(), &SchemaDoc::of_type::<DeliveryConfig>(), &[]);
        let mut config = config.map(|config| filled(config, self.delivery));
        if let Some(config) = &mut config {
            self.check_delivery(config);
            self.check_storage(config);
        }
        let wrong = super::diagnostic::has_errors(&self.findings[before..]);
        (map(own), config.filter(|_| !wrong))
    }

    /// A queue on disk is bounded by the disk, unless a size is written.
    fn check_storage(&mut self, config: &mut DeliveryConfig) {
        let queue = &mut config.sending_queue;
        let written = |key: &str| self.body.get("sending_queue").is_some_and(|queue| queue.get(key).is_some());
        let Some(storage) = &queue.storage else {
            // The defaults may be written: `print-config` does.
            let (on_full, letters) =
                (queue.on_full != OnFull::default(), queue.dead_letters != DeadLettersConfig::default());
            for (key, _) in [("on_full", on_full), ("dead_letters", letters)].into_iter().filter(|(_, set)| *set) {
                let message = format!(
                    "`{key}` is for queues on disk, and `storage` names none; write `storage`, or remove `{key}`"
                );
                self.conflict(&format!("sending_queue.{key}"), &message);
            }
            return;
        };
        if !written("queue_size") {
            queue.queue_size = usize::MAX;
        }
        if queue.enabled == Some(false) {
            self.conflict(
                "sending_queue.storage",
                "`storage` is for a queue, and `enabled` is false; write `enabled: true`, or remove `storage`",
            );
            return;
        }
        let storage = storage.clone();
        self.queue_storage("sending_queue.storage", &storage);
    }

    fn check_delivery(&mut self, config: &DeliveryConfig) {
        let (retry, queue) = (&config.retry_on_failure, &config.sending_queue);
        let least = |number: f64, least: f64| (number < least || !number.is_finite()).then_some(least);
        if let Some(least) = least(queue.num_consumers as f64, 1.0) {
            self.out_of_range("sending_queue.num_consumers", &format!("at least {least}"));
        }
        if let Some(least) = least(queue.queue_size as f64, 1.0) {
            self.out_of_range("sending_queue.queue_size", &format!("at least {least}"));
        }
        if let Some(least) = least(retry.multiplier, 1.0) {
            self.out_of_range("retry_on_failure.multiplier", &format!("at least {least}"));
        }
        if !(0.0..=1.0).contains(&retry.randomization_factor) {
            self.out_of_range("retry_on_failure.randomization_factor", "between 0 and 1");
        }
        if retry.enabled && retry.initial_interval == Duration::default() {
            self.out_of_range("retry_on_failure.initial_interval", "longer than 0s");
        }
        let (first, last, all) = (retry.initial_interval, retry.max_interval, retry.max_elapsed_time);
        for (name, interval) in [("initial_interval", first), ("max_interval", last)] {
            if all != Duration::default() && all < interval {
                let path = "retry_on_failure.max_elapsed_time";
                self.conflict(path, &format!("`max_elapsed_time` ({all}) is shorter than `{name}` ({interval})"));
            }
        }
        let Some(batch) = &queue.batch else { return };
        if batch.max_size != 0 && batch.max_size < batch.min_size {
            let (least, most) = (batch.min_size, batch.max_size);
            let path = self.written("sending_queue.batch.max_size", "sending_queue.batch.min_size");
            self.conflict(path, &format!("`max_size` ({most}) is smaller than `min_size` ({least})"));
        }
        if batch.sizer == Some(Sizer::Requests) {
            let path = "sending_queue.batch.sizer";
            self.conflict(path, "a batch is measured in `items` or `bytes`, not in `requests`");
            return;
        }
        let sizer = batch.sizer.unwrap_or(match queue.sizer {
            Sizer::Requests => Sizer::Items,
            other => other,
        });
        if sizer == queue.sizer && batch.min_size > queue.queue_size {
            let (least, size) = (batch.min_size, queue.queue_size);
            let path = self.written("sending_queue.batch.min_size", "sending_queue.queue_size");
            self.conflict(path, &format!("`batch::min_size` ({least}) is larger than `queue_size` ({size})"));
        }
    }

    /// The first of two paths that was written, so that the finding points at something.
    fn written<'p>(&self, path: &'p str, otherwise: &'p str) -> &'p str {
        let depth = |path: &str| {
            let steps = path.split('.');
            steps
                .scan(Some(self.body), |node, step| {
                    *node = node.and_then(|node| node.get(step));
                    node.is_some().then_some(())
                })
                .count()
        };
        if depth(otherwise) > depth(path) { otherwise } else { path }
    }

    fn out_of_range(&mut self, path: &str, limit: &str) {
        let (path, origin) = self.find(path);
        if !self.is_wrong(&path) {
            let message = format!("`{path}` must be {limit}");
            self.findings.push(Diagnostic::error(codes::OUT_OF_RANGE, message, origin, self.whole_path(&path)));
        }
    }

    fn conflict(&mut self, path: &str, message: &str) {
        let (path, origin) = self.find(path);
        if !self.is_wrong(&path) {
            let (message, help) = message.split_once("; ").unwrap_or((message, ""));
            let finding = Diagnostic::error(codes::CONFLICT, message, origin, self.whole_path(&path));
            self.findings.push(if help.is_empty() { finding } else { finding.help(help) });
        }
    }
}

/// What the config leaves open, from the exporter's type.
fn filled(mut config: DeliveryConfig, defaults: Option<DeliveryDefaults>) -> DeliveryConfig {
    let defaults = defaults.unwrap_or(DeliveryDefaults::REMOTE);
    config.timeout.get_or_insert(Duration(defaults.timeout));
    config.sending_queue.enabled.get_or_insert(defaults.queue);
    config
}
