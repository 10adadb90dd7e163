//! Small images that are whole: an index for two platforms, each with a manifest, a configuration
//! and one layer. Clients that check digests and media types are content with them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::keys::digest;

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

const PLATFORMS: [&str; 2] = ["amd64", "arm64"];

/// A repository of images.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repository {
    pub(crate) private: bool,
    /// Teams that may pull from it when it is private.
    pub(crate) teams: BTreeMap<String, &'static str>,
    /// Tag to the digest of an index.
    pub(crate) tags: BTreeMap<String, String>,
    /// By digest: indexes and manifests.
    pub(crate) manifests: BTreeMap<String, Manifest>,
    /// By digest: configurations and layers.
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) media_type: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// What an old client gets in place of an index: the digest of the manifest for amd64.
    pub(crate) first: Option<String>,
}

impl Manifest {
    pub(crate) fn is_index(&self) -> bool {
        self.first.is_some()
    }
}

/// What the two families of media types call their parts.
struct Family {
    index: &'static str,
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
}

const OCI: Family = Family {
    index: OCI_INDEX,
    manifest: OCI_MANIFEST,
    config: OCI_CONFIG,
    layer: OCI_LAYER,
};

const DOCKER: Family = Family {
    index: DOCKER_LIST,
    manifest: DOCKER_MANIFEST,
    config: DOCKER_CONFIG,
    layer: DOCKER_LAYER,
};

impl Repository {
    /// Puts an image there. Official images are OCI, others Docker's: both are met in the wild.
    pub(crate) fn push(&mut self, name: &str, tag: &str) {
        let family = if name.starts_with("library/") {
            OCI
        } else {
            DOCKER
        };
        let mut entries = Vec::new();
        let mut first = None;
        for platform in PLATFORMS {
            let (digest, size) = self.push_platform(&family, name, tag, platform);
            first.get_or_insert_with(|| digest.clone());
            entries.push(json!({
                "mediaType": family.manifest,
                "digest": digest,
                "size": size,
                "platform": {"architecture": platform, "os": "linux"},
            }));
        }
        let index = json!({"schemaVersion": 2, "mediaType": family.index, "manifests": entries});
        let index = self.keep(family.index, &index, first);
        self.tags.insert(tag.to_owned(), index.0);
    }

    fn push_platform(
        &mut self,
        family: &Family,
        name: &str,
        tag: &str,
        platform: &str,
    ) -> (String, usize) {
        let release = format!("NAME=\"{name}\"\nVERSION=\"{tag}\"\nARCHITECTURE=\"{platform}\"\n");
        let layer = tar("etc/os-release", release.as_bytes());
        // Nothing is compressed, so the layer's digest is the one of its content too.
        let layer_digest = digest(&layer);
        let config = json!({
            "architecture": platform,
            "os": "linux",
            "created": "2024-05-22T18:18:12Z",
            "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
            "history": [{"created": "2024-05-22T18:18:12Z", "created_by": "ADD rootfs.tar / # sandbox"}],
        })
        .to_string()
        .into_bytes();
        let config_digest = digest(&config);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": family.manifest,
            "config": {"mediaType": family.config, "size": config.len(), "digest": config_digest},
            "layers": [{"mediaType": family.layer, "size": layer.len(), "digest": layer_digest}],
        });
        self.blobs.insert(config_digest, config);
        self.blobs.insert(layer_digest, layer);
        self.keep(family.manifest, &manifest, None)
    }

    fn keep(
        &mut self,
        media_type: &'static str,
        document: &Value,
        first: Option<String>,
    ) -> (String, usize) {
        let bytes = document.to_string().into_bytes();
        let (digest, size) = (digest(&bytes), bytes.len());
        let manifest = Manifest {
            media_type,
            bytes,
            first,
        };
        self.manifests.insert(digest.clone(), manifest);
        (digest, size)
    }

    /// The manifest that a tag or a digest names.
    pub(crate) fn manifest(&self, reference: &str) -> Option<(&str, &Manifest)> {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        self.manifests
            .get_key_value(digest)
            .map(|(digest, manifest)| (digest.as_str(), manifest))
    }
}

/// A tar archive with one file, in the POSIX format (IEEE 1003.1, "ustar Interchange Format").
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, from) in header.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, format!("{:011o}\0", 0).as_bytes());
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    for (to, from) in header
        .iter_mut()
        .skip(148)
        .zip(format!("{sum:06o}\0 ").bytes())
    {
        *to = from;
    }
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_an_image_names_is_there_and_has_its_digest() {
        let mut repository = Repository::default();
        repository.push("library/alpine", "3.20");
        let (_, index) = repository.manifest("3.20").unwrap();
        assert!(index.is_index());
        let index: Value = serde_json::from_slice(&index.bytes).unwrap();
        let entries = index["manifests"].as_array().unwrap();
        assert_eq!(entries.len(), PLATFORMS.len());
        for entry in entries {
            let (name, manifest) = repository
                .manifest(entry["digest"].as_str().unwrap())
                .unwrap();
            assert_eq!(name, digest(&manifest.bytes));
            let manifest: Value = serde_json::from_slice(&manifest.bytes).unwrap();
            for part in [&manifest["config"], &manifest["layers"][0]] {
                let blob = &repository.blobs[part["digest"].as_str().unwrap()];
                assert_eq!(part["digest"], digest(blob));
                assert_eq!(part["size"], blob.len());
            }
        }
    }

    #[test]
    fn a_layer_is_an_archive_of_whole_blocks_with_a_checksum() {
        let archive = tar("etc/os-release", b"NAME=x\n");
        assert_eq!(archive.len(), 4 * 512);
        let written = std::str::from_utf8(&archive[148..154]).unwrap();
        let sum: u32 = archive[..512]
            .iter()
            .enumerate()
            .map(|(at, b)| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u32::from(*b)
                }
            })
            .sum();
        assert_eq!(u32::from_str_radix(written, 8).unwrap(), sum);
    }
}
