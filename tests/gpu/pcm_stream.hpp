// A video stream whose pictures are known bit for bit, without an encoder: H.264 of I_PCM
// macroblocks alone, which carry their samples as they are (ITU-T H.264, 7.3). Every decoder gives
// exactly these back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace tv::test {

/// Luma and chroma with 2x2 pixels a sample; row after row, no padding.
struct PcmPicture {
  int width = 0, height = 0;  ///< even
  std::vector<std::uint8_t> y = {}, u = {}, v = {};

  /// Of one plane's sample, and of the grey beyond the picture that fills the last macroblocks.
  std::uint8_t at(std::size_t plane, int column, int row) const {
    const int across = plane == 0 ? width : width / 2, down = plane == 0 ? height : height / 2;
    const auto& samples = plane == 0 ? y : plane == 1 ? u : v;
    if (column >= across || row >= down) return 128;
    return samples[static_cast<std::size_t>(row * across + column)];
  }
};

/// The bits of one NAL unit.
class NalWriter {
 public:
  void bits(std::uint32_t value, int count) {
    for (int i = count - 1; i >= 0; --i) {
      current_ = static_cast<std::uint8_t>(current_ << 1 | (value >> i & 1));
      if (++filled_ == 8) flush();
    }
  }
  void flag(bool value) { bits(value ? 1 : 0, 1); }
  /// ue(v), and se(v) of 0.
  void number(std::uint32_t value) {
    int length = 0;
    while ((value + 1) >> (length + 1)) ++length;
    bits(0, length);
    bits(value + 1, length + 1);
  }
  void align_with_zeros() {
    while (filled_ != 0) bits(0, 1);
  }
  /// With start code and the bytes that keep others from looking like one. header: nal_ref_idc and
  /// nal_unit_type.
  void append_to(std::vector<std::uint8_t>& stream, std::uint8_t header) {
    flag(true);
    align_with_zeros();
    stream.insert(stream.end(), {0, 0, 0, 1, header});
    int zeros = 0;
    for (const std::uint8_t byte : bytes_) {
      if (zeros == 2 && byte <= 3) {
        stream.push_back(3);
        zeros = 0;
      }
      stream.push_back(byte);
      zeros = byte == 0 ? zeros + 1 : 0;
    }
  }

 private:
  void flush() {
    bytes_.push_back(current_);
    current_ = 0;
    filled_ = 0;
  }
  std::vector<std::uint8_t> bytes_;
  std::uint8_t current_ = 0;
  int filled_ = 0;
};

/// One access unit, that begins a stream of its own: parameter sets and an IDR picture. turn: the
/// number of the picture, for neighbours must differ.
inline std::vector<std::uint8_t> pcm_access_unit(const PcmPicture& picture, unsigned turn) {
  const int across = (picture.width + 15) / 16, down = (picture.height + 15) / 16;
  std::vector<std::uint8_t> stream;

  NalWriter sequence;
  sequence.bits(77, 8);  // Main
  sequence.bits(0, 8);   // constraints
  sequence.bits(40, 8);  // level 4
  sequence.number(0);    // its id
  sequence.number(0);    // frame_num has 4 bits
  sequence.number(2);    // output in the order of decoding
  sequence.number(1);    // reference frames
  sequence.flag(false);
  sequence.number(static_cast<std::uint32_t>(across - 1));
  sequence.number(static_cast<std::uint32_t>(down - 1));
  sequence.flag(true);  // frames, not fields
  sequence.flag(true);
  sequence.flag(true);  // cropped, in units of 2 pixels
  sequence.number(0);
  sequence.number(static_cast<std::uint32_t>(across * 16 - picture.width) / 2);
  sequence.number(0);
  sequence.number(static_cast<std::uint32_t>(down * 16 - picture.height) / 2);
  sequence.flag(false);  // nothing about colours and times
  sequence.append_to(stream, 0x67);

  NalWriter parameters;
  parameters.number(0);    // its id
  parameters.number(0);    // the sequence's
  parameters.flag(false);  // CAVLC
  parameters.flag(false);
  parameters.number(0);  // one slice group
  parameters.number(0);
  parameters.number(0);
  parameters.flag(false);
  parameters.bits(0, 2);
  parameters.number(0);  // quantizers: of no concern
  parameters.number(0);
  parameters.number(0);
  parameters.flag(true);  // slices say whether they are deblocked
  parameters.flag(false);
  parameters.flag(false);
  parameters.append_to(stream, 0x68);

  NalWriter slice;
  slice.number(0);         // from the first macroblock on
  slice.number(7);         // I alone
  slice.number(0);         // the parameters
  slice.bits(0, 4);        // frame_num
  slice.number(turn % 2);  // idr_pic_id
  slice.flag(false);
  slice.flag(false);
  slice.number(0);  // quantizer
  slice.number(1);  // not deblocked
  for (int row = 0; row < down; ++row)
    for (int column = 0; column < across; ++column) {
      slice.number(25);  // I_PCM
      slice.align_with_zeros();
      for (const std::size_t plane : {0U, 1U, 2U}) {
        const int side = plane == 0 ? 16 : 8;
        for (int y = 0; y < side; ++y)
          for (int x = 0; x < side; ++x)
            slice.bits(picture.at(plane, column * side + x, row * side + y), 8);
      }
    }
  slice.append_to(stream, 0x65);
  return stream;
}

/// Noise on a ground of the picture's own: a network tells them apart. The same for the same turn.
inline PcmPicture pcm_noise(int width, int height, unsigned turn) {
  PcmPicture picture{.width = width, .height = height};
  std::uint32_t state = 2654435761U * (turn + 1);
  const auto random = [&] {
    state = state * 1664525U + 1013904223U;
    return static_cast<std::uint8_t>(state >> 24);
  };
  for (auto& [samples, count] : std::array<std::pair<std::vector<std::uint8_t>*, int>, 3>{
           {{&picture.y, width * height},
            {&picture.u, width * height / 4},
            {&picture.v, width * height / 4}}}) {
    const int ground = random() / 2;
    for (int i = 0; i < count; ++i)
      samples->push_back(static_cast<std::uint8_t>(ground + random() / 2));
  }
  return picture;
}

}  // namespace tv::test
