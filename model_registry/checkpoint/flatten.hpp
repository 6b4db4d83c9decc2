// The object of a file to the entries of a Checkpoint.
#pragma once

#include <cstdint>

#include "model_registry/checkpoint/budget.hpp"
#include "model_registry/checkpoint/checkpoint.hpp"
#include "model_registry/checkpoint/fault.hpp"
#include "model_registry/checkpoint/value.hpp"

namespace tv::checkpoint {

/// Every blob's data must be known by now. `file_size` bounds the bytes that all views together may
/// reach.
Result<Checkpoint> flatten(const Heap& heap, const Value& root, CheckpointFormat format,
                           std::uint64_t file_size, const Place& place, Budget& budget);

}  // namespace tv::checkpoint
