use std::fmt;

use super::super::pod::Pod;
use super::{Found, StandardsVersion, baseline, restricted};

/// A level of the standards, the laxer first. The third one, privileged, forbids nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Forbids what is known to lead out of a container.
    Baseline,
    /// Asks for the practices of hardening.
    Restricted,
}

/// A control of the standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Control {
    /// Restricted: no gaining of more privileges than the parent process.
    AllowPrivilegeEscalation,
    /// Baseline: no AppArmor profile other than the default or one of the node's.
    AppArmorProfile,
    /// Baseline: no capabilities beyond the default ones.
    CapabilitiesBaseline,
    /// Restricted: all capabilities dropped, none but one added.
    CapabilitiesRestricted,
    /// Baseline: no network, process or IPC namespace of the node.
    HostNamespaces,
    /// Baseline: no directories of the node.
    HostPathVolumes,
    /// Baseline: no ports of the node.
    HostPorts,
    /// Baseline: probes and hooks go to the pod itself.
    HostProbesAndHostLifecycle,
    /// Baseline: no privileged containers.
    Privileged,
    /// Baseline: the masked `/proc`, but in a user namespace.
    ProcMount,
    /// Restricted: the masked `/proc` always.
    ProcMountRestricted,
    /// Restricted: no volumes but those that need no rights on the node.
    RestrictedVolumes,
    /// Restricted: not as root.
    RunAsNonRoot,
    /// Restricted: not as the user 0.
    RunAsUser,
    /// Baseline: no user or role of SELinux, and few types.
    SeLinuxOptions,
    /// Baseline: seccomp not switched off.
    SeccompProfileBaseline,
    /// Restricted: seccomp switched on.
    SeccompProfileRestricted,
    /// Baseline: none but harmless kernel parameters.
    Sysctls,
    /// Baseline: no processes of a Windows node.
    WindowsHostProcess,
}

impl Control {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::AllowPrivilegeEscalation,
        Self::AppArmorProfile,
        Self::CapabilitiesBaseline,
        Self::CapabilitiesRestricted,
        Self::HostNamespaces,
        Self::HostPathVolumes,
        Self::HostPorts,
        Self::HostProbesAndHostLifecycle,
        Self::Privileged,
        Self::ProcMount,
        Self::ProcMountRestricted,
        Self::RestrictedVolumes,
        Self::RunAsNonRoot,
        Self::RunAsUser,
        Self::SeLinuxOptions,
        Self::SeccompProfileBaseline,
        Self::SeccompProfileRestricted,
        Self::Sysctls,
        Self::WindowsHostProcess,
    ];

    /// Its id in Pod Security admission.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::AllowPrivilegeEscalation => "allowPrivilegeEscalation",
            Self::AppArmorProfile => "appArmorProfile",
            Self::CapabilitiesBaseline => "capabilities_baseline",
            Self::CapabilitiesRestricted => "capabilities_restricted",
            Self::HostNamespaces => "hostNamespaces",
            Self::HostPathVolumes => "hostPathVolumes",
            Self::HostPorts => "hostPorts",
            Self::HostProbesAndHostLifecycle => "hostProbesAndHostLifecycle",
            Self::Privileged => "privileged",
            Self::ProcMount => "procMount",
            Self::ProcMountRestricted => "procMount_restricted",
            Self::RestrictedVolumes => "restrictedVolumes",
            Self::RunAsNonRoot => "runAsNonRoot",
            Self::RunAsUser => "runAsUser",
            Self::SeLinuxOptions => "seLinuxOptions",
            Self::SeccompProfileBaseline => "seccompProfile_baseline",
            Self::SeccompProfileRestricted => "seccompProfile_restricted",
            Self::Sysctls => "sysctls",
            Self::WindowsHostProcess => "windowsHostProcess",
        }
    }

    /// Its name in the Pod Security Standards.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AllowPrivilegeEscalation => "Privilege Escalation",
            Self::AppArmorProfile => "AppArmor",
            Self::CapabilitiesBaseline | Self::CapabilitiesRestricted => "Capabilities",
            Self::HostNamespaces => "Host Namespaces",
            Self::HostPathVolumes => "HostPath Volumes",
            Self::HostPorts => "Host Ports",
            Self::HostProbesAndHostLifecycle => "Host Probes / Lifecycle Hooks",
            Self::Privileged => "Privileged Containers",
            Self::ProcMount | Self::ProcMountRestricted => "/proc Mount Type",
            Self::RestrictedVolumes => "Volume Types",
            Self::RunAsNonRoot => "Running as Non-root",
            Self::RunAsUser => "Running as Non-root user",
            Self::SeLinuxOptions => "SELinux",
            Self::SeccompProfileBaseline | Self::SeccompProfileRestricted => "Seccomp",
            Self::Sysctls => "Sysctls",
            Self::WindowsHostProcess => "HostProcess",
        }
    }

    /// The level to which it belongs.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::AllowPrivilegeEscalation
            | Self::CapabilitiesRestricted
            | Self::ProcMountRestricted
            | Self::RestrictedVolumes
            | Self::RunAsNonRoot
            | Self::RunAsUser
            | Self::SeccompProfileRestricted => Level::Restricted,
            _ => Level::Baseline,
        }
    }

    /// The minor version with which it came.
    pub(super) const fn since(self) -> u32 {
        match self {
            Self::AllowPrivilegeEscalation => 8,
            Self::CapabilitiesRestricted => 22,
            Self::HostProbesAndHostLifecycle => 34,
            Self::ProcMountRestricted => 35,
            Self::RunAsUser => 23,
            Self::SeccompProfileRestricted => 19,
            _ => 0,
        }
    }

    /// The laxer control that isn't looked at where this one is.
    #[must_use]
    pub const fn replaces(self) -> Option<Self> {
        match self {
            Self::CapabilitiesRestricted => Some(Self::CapabilitiesBaseline),
            Self::ProcMountRestricted => Some(Self::ProcMount),
            Self::RestrictedVolumes => Some(Self::HostPathVolumes),
            Self::SeccompProfileRestricted => Some(Self::SeccompProfileBaseline),
            _ => None,
        }
    }

    pub(super) fn check(self, pod: &Pod<'_>, version: StandardsVersion, found: &mut Found) {
        match self {
            Self::AllowPrivilegeEscalation => restricted::privilege_escalation(pod, version, found),
            Self::AppArmorProfile => baseline::app_armor(pod, found),
            Self::CapabilitiesBaseline => baseline::capabilities(pod, found),
            Self::CapabilitiesRestricted => restricted::capabilities(pod, version, found),
            Self::HostNamespaces => baseline::host_namespaces(pod, found),
            Self::HostPathVolumes => baseline::host_paths(pod, found),
            Self::HostPorts => baseline::host_ports(pod, found),
            Self::HostProbesAndHostLifecycle => baseline::host_probes(pod, found),
            Self::Privileged => baseline::privileged(pod, found),
            Self::ProcMount => baseline::proc_mount(pod, version, found),
            Self::ProcMountRestricted => baseline::proc_mount_of_containers(pod, found),
            Self::RestrictedVolumes => restricted::volumes(pod, found),
            Self::RunAsNonRoot => restricted::run_as_non_root(pod, version, found),
            Self::RunAsUser => restricted::run_as_user(pod, version, found),
            Self::SeLinuxOptions => baseline::se_linux(pod, version, found),
            Self::SeccompProfileBaseline => baseline::seccomp(pod, version, found),
            Self::SeccompProfileRestricted => restricted::seccomp(pod, version, found),
            Self::Sysctls => baseline::sysctls(pod, version, found),
            Self::WindowsHostProcess => baseline::windows_host_process(pod, found),
        }
    }
}

impl fmt::Display for Control {
    /// Its level and name, as in the standards: `baseline: Host Ports`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level() {
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        };
        write!(f, "{level}: {}", self.name())
    }
}
