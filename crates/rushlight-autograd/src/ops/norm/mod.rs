//! Normalisation: of rows, of channels over a batch, of groups of channels, of neighbouring channels.

mod batch;
mod group;
mod rows;

pub use batch::{
    BatchNormOptions, InstanceNormOptions, batch_norm, batch_norm_with, instance_norm, instance_norm_with,
};
pub use group::{
    LocalResponseNormOptions, group_norm, group_norm_with, local_response_norm, local_response_norm_with,
};
pub use rows::{layer_norm, layer_norm_with, rms_norm, rms_norm_with};

use crate::table::OpInfo;

pub(crate) const TABLE: &[OpInfo] = &[
    rows::LAYER_NORM,
    rows::RMS_NORM,
    batch::BATCH_NORM,
    batch::INSTANCE_NORM,
    group::GROUP_NORM,
    group::LOCAL_RESPONSE_NORM,
];
