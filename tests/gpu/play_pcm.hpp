// A stream of pcm_stream.hpp in a pipeline.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/gpu/pcm_stream.hpp"
#include "tests/gpu/pipeline.hpp"

namespace tv::test {

/// Where such a stream begins: pads of these are linked to a decoder.
inline const std::string kPcmSource =
    "appsrc name=in format=time caps=video/x-h264,stream-format=byte-stream,alignment=au,"
    "framerate=30/1 ! h264parse ! ";

/// Plays so many pictures of noise, as pcm_noise() makes them, to the end.
inline void play_pcm(Pipeline& pipeline, const std::string& what, int width, int height,
                     unsigned pictures) {
  std::vector<BufferRef> units;
  for (unsigned i = 0; i < pictures; ++i)
    units.push_back(buffer_of(pcm_access_unit(pcm_noise(width, height, i), i)));
  pipeline.play();
  feed(pipeline.element("in"), std::move(units));
  pipeline.wait_for_end(what);
}

}  // namespace tv::test
