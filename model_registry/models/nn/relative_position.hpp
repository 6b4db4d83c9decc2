// Relative positions within a window of height x width tokens, as Swin and MaxViT number them.
#pragma once

#include <vector>

#include "model_registry/models/nn/layers.hpp"

namespace tv::nn {

/// For each pair of tokens (row-major, height * width squared numbers) the row of a table with
/// (2 * height - 1) * (2 * width - 1) rows: which of its distances the two are apart.
std::vector<double> relative_position_index(int height, int width);

/// The distances themselves, row and column of each of the table's rows, -8 .. 8 on a logarithmic
/// scale (Swin V2, equation 4): [2 * height - 1, 2 * width - 1, 2] float32 values, row-major.
std::vector<double> log_spaced_coords(int height, int width);

/// rows [T, heads], index: the parameter that holds relative_position_index() -> what attention
/// adds to its products, [1, heads, tokens, tokens].
Value relative_position_bias(const Value& rows, int index, int tokens);

}  // namespace tv::nn
