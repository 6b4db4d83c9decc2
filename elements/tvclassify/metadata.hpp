// The result on the buffer: a GstCustomMeta that C, Rust and Python read without any library of
// ours.
#pragma once

#include <gst/gst.h>

#include <string>
#include <vector>

#include "elements/common/gst_ptr.hpp"
#include "elements/tvclassify/result.hpp"

namespace tv {

/// Name of the meta and of its structure.
inline constexpr const char* kMetaName = "TvClassifyMeta";
/// Field "version": readers check it; a field is only ever added under the same number.
inline constexpr unsigned kMetaVersion = 1;

/// What all results of one run have in common.
struct ModelIdentity {
  std::string element;  ///< name of the element, tells two of them in one pipeline apart
  std::string weights;  ///< "ResNet50_Weights.IMAGENET1K_V2"
  std::string digest;   ///< sha256 of the weight file, 64 lower-case hex digits
};

/// Registers the meta with GStreamer, once a process. Its transform copies it to every copy of the
/// buffer, converted and scaled pictures too: a label belongs to the picture, not to its pixels. It
/// is tagged as video, which is what encoders and decoders copy.
void register_metadata();

/// The field "labels": a GST_TYPE_ARRAY of structures "class" with index, label and score.
void set_labels(GstStructure* structure, const std::vector<Label>& labels,
                const char* field = "labels");

/// The fields of docs/element.md.
void set_fields(GstStructure* structure, const ModelIdentity& identity, const FrameResult& result);

/// Puts the result on a writable buffer, in place of an older one of the same element. Metas of
/// other elements stay.
void add_metadata(GstBuffer* buffer, const ModelIdentity& identity, const FrameResult& result);

}  // namespace tv
