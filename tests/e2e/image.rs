//! The container image.

use crate::support::{
    dockerd::Dockerd,
    lanner::{TempDir, binary},
    wait,
};
use std::{path::Path, process::Command, time::Duration};

/// Scenario: the runtime stage of the Dockerfile is built around the local binary (nothing can be pulled here) and run
/// read-only, as uid 65532, without capabilities and without a network.
/// Guarantee: it becomes healthy by its own health check, and SIGTERM ends it with 0.
#[test]
fn the_runtime_stage_runs_read_only_as_nobody() {
    let Some(daemon) = Dockerd::shared() else { return };
    let (root, dir) = (Path::new(env!("CARGO_MANIFEST_DIR")), TempDir::new());
    let dockerfile = std::fs::read_to_string(root.join("Dockerfile")).unwrap();
    let (_, runtime) = dockerfile.split_once("FROM scratch AS runtime").expect("the Dockerfile has a runtime stage");
    let runtime = runtime.replace("COPY --from=build /rootfs /", "COPY rootfs /");
    assert!(runtime.contains("COPY rootfs /") && runtime.contains("USER 65532:65532"));
    std::fs::write(dir.path().join("Dockerfile"), format!("FROM scratch AS runtime{runtime}")).unwrap();
    let rootfs = dir.path().join("rootfs");
    let laid_out = Command::new(root.join("scripts/rootfs.sh")).arg(binary()).arg(&rootfs).status().unwrap();
    assert!(laid_out.success());

    daemon.docker(&["build", "--quiet", "--tag", "lanner-e2e", dir.path().to_str().unwrap()]);
    daemon.docker(&[
        "run",
        "--detach",
        "--name",
        "lanner-e2e",
        "--network",
        "none",
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "lanner-e2e",
    ]);
    wait::until("the container is healthy", Duration::from_secs(60), || {
        let status =
            daemon.docker(&["inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", "lanner-e2e"]);
        assert!(status.starts_with("running"), "{}", daemon.docker(&["logs", "lanner-e2e"]));
        status.contains(" healthy").then_some(())
    });
    let user = daemon.docker(&["inspect", "--format", "{{.Config.User}}", "lanner-e2e"]);
    assert_eq!(user.trim(), "65532:65532");
    daemon.docker(&["stop", "--time", "20", "lanner-e2e"]);
    let code = daemon.docker(&["inspect", "--format", "{{.State.ExitCode}}", "lanner-e2e"]);
    assert_eq!(code.trim(), "0");
    daemon.docker(&["rm", "--force", "lanner-e2e"]);
}
