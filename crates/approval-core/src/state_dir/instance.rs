//! Who an installation is.

use serde::{Deserialize, Serialize};

use super::{StateDir, StateDirError, files};
use crate::entropy::Entropy;
use crate::id::Audience;

/// Who an installation is, and where its approval surface is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Instance {
    r#type: InstanceType,
    /// The installation.
    pub audience: Audience,
    /// The loopback address (`127.0.0.1:8377`) on which the first process of this installation serves the approval surface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum InstanceType {
    #[serde(rename = "mutation-approval/instance/v0")]
    V0,
}

impl StateDir {
    /// Who this installation is: made when first asked for, and the same ever after.
    ///
    /// # Errors
    /// When the file can't be read or written.
    pub fn instance(&self, entropy: &dyn Entropy) -> Result<Instance, StateDirError> {
        let _lock = self.lock()?;
        self.instance_locked(entropy)
    }

    /// Where the approval surface of this installation is: `address`, unless another process has said so before.
    ///
    /// # Errors
    /// When the file can't be read or written.
    pub fn claim_surface(&self, address: &str, entropy: &dyn Entropy) -> Result<Instance, StateDirError> {
        let _lock = self.lock()?;
        let mut instance = self.instance_locked(entropy)?;
        if instance.surface.is_none() {
            instance.surface = Some(address.to_owned());
            files::write(&self.instance_path(), &instance)?;
        }
        Ok(instance)
    }

    pub(super) fn instance_locked(&self, entropy: &dyn Entropy) -> Result<Instance, StateDirError> {
        let path = self.instance_path();
        if let Some(instance) = files::read(&path)? {
            return Ok(instance);
        }
        let instance = Instance { r#type: InstanceType::V0, audience: Audience::generate(entropy)?, surface: None };
        files::write(&path, &instance)?;
        Ok(instance)
    }

    pub(super) fn instance_path(&self) -> std::path::PathBuf {
        self.root.join("instance.json")
    }
}
