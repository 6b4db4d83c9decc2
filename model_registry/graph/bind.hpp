// Ties the tensors of a checkpoint to the parameters of a network, strictly.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model_registry/checkpoint/checkpoint.hpp"
#include "model_registry/error.hpp"
#include "model_registry/graph/module.hpp"

namespace tv::graph {

/// One view a parameter, in the order of bound_network().parameters(); a view without data means
/// "keep the initial value" (only for optional parameters).
using BoundTensors = std::vector<TensorView>;

/// The network whose parameters bind() has found in the file: `network`, or its source() where that
/// is of the quantisation-aware form, which has several times as many.
const Network& bound_network(const BoundTensors& tensors, const Network& network);

/// `_metadata`'s version of the whole network in a file, below the wrappers that bind() takes off;
/// nothing where the file does not say.
std::optional<std::int64_t> root_version(const Checkpoint& checkpoint, const Network& network);

/// load_state_dict(strict=True). Accepts
///  - float16, bfloat16 and float64 tensors for float32 parameters (the backend copies them to
///  float32), integers of
///    any width for integer buffers;
///  - a number with a dimension, [1] for [];
///  - for int8 networks the packed parameters of every version (packed_parameters.hpp);
///  - for int8 networks that files of quantisation-aware training are made for, such a file;
///  - files without num_batches_tracked;
///  - a file all of whose names begin with one of the prefixes "module.", "model.", "state_dict.",
///  "model_state_dict."
///    (as data-parallel wrappers and training scripts leave them): that prefix, and only that one,
///    is taken off, again while this holds and no name is known;
///  - the file of a training script, a dict with the state dict as "model", "state_dict" or
///  "model_state_dict" (the first of them that it has): all else in it ("optimizer", "epoch",
///  "model_ema") is passed over.
/// Fails: BadCheckpoint with the numbers and the first five of all missing, unexpected, mis-shaped
/// and mis-typed names at once. tv::bind_checkpoint (models.hpp) does the same and adds the builder
/// that the file looks like.
Result<BoundTensors> bind(const Checkpoint& checkpoint, const Network& network);

/// What binding would complain about; all lists empty: it fits.
struct Misfit {
  std::vector<std::string> missing;     ///< names of parameters
  std::vector<std::string> unexpected;  ///< names of the file
  std::vector<std::string> shapes;      ///< "fc.weight [6, 512], expected [1000, 512]"
  std::vector<std::string> types;       ///< "fc.weight int8, expected float32"
  /// Class count of the file's head where everything else fits; 0 otherwise.
  int other_num_classes = 0;
  std::string head;  ///< "fc.weight" then
  bool empty() const {
    return missing.empty() && unexpected.empty() && shapes.empty() && types.empty();
  }
};
Misfit compare(const Checkpoint& checkpoint, const Network& network);

}  // namespace tv::graph
