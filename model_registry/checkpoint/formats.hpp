// The two formats of torch.save, each behind one function.
#pragma once

#include "model_registry/checkpoint/budget.hpp"
#include "model_registry/checkpoint/checkpoint.hpp"

namespace tv::checkpoint {

/// torch >= 1.6: a zip archive `<folder>/data.pkl`, `<folder>/data/<key>`, `<folder>/version`.
Result<Checkpoint> read_zip_checkpoint(const FileBytes& file, Budget& budget,
                                       const CancelCheck& cancelled = {});

/// torch < 1.6, or _use_new_zipfile_serialization=False: five pickles and the raw storages, one
/// after the other.
Result<Checkpoint> read_legacy_checkpoint(const FileBytes& file, Budget& budget);

/// The first bytes of every legacy file: the pickle of 0x1950a86a20f9469cfc6c.
inline constexpr unsigned char kLegacyMagic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                                 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};

}  // namespace tv::checkpoint
