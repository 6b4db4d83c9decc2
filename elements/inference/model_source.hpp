// What makes two elements want the same model, and how it is loaded.
#pragma once

#include <string>

#include "elements/inference/engine.hpp"
#include "elements/inference/shared_model.hpp"

namespace tv::inference {

/// The text that two specs have in common when one loaded model serves both: entry with its digest,
/// or builder and seed; the digest of a local file; classes; device; executor; size of the input;
/// and the group, a name of the user's. A local file is read for its digest, once as long as it
/// stays as it is: `spec.file` then holds what was read, `spec.weights_digest` what it is.
/// Blocks, until `cancelled` at most. Fails: read_file()'s, and before it is read
/// check_input_size()'s.
Result<std::string> model_key(ModelSpec& spec, int side, const std::string& group,
                              const CancelCheck& cancelled = {});

/// load_model() with warm-up for pictures of side x side, and what can be done before the first
/// batch of up to `batch` of them, so that it does not stop the stream.
SharedModel::Load model_loader(ModelSpec spec, int side, bool offline, unsigned batch = 1);

}  // namespace tv::inference
