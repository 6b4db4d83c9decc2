// The regions of interest of a buffer: where detectors and trackers in front found something.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "elements/preprocess/frame_view.hpp"
#include "elements/tvclassify/metadata.hpp"
#include "elements/tvclassify/result.hpp"

namespace tv {

/// One region. It names its metas by their place, not by address: it stays true for copies of the
/// buffer, as gst_buffer_make_writable() makes them.
struct Region {
  GQuark type = 0;  ///< what the detector calls it ("face"); 0: nothing
  int id = 0;       ///< of the ROI meta; where there is none, of the detection
  int parent_id = 0;
  std::int64_t x = 0, y = 0, width = 0, height = 0;  ///< as the detector says, pixels
  Rect part;  ///< of it inside the picture; width and height 0 where it is wholly outside or empty
  /// The tracker's number: of the tracking related to the detection, else the ROI's parameter
  /// "object_id". The ROI's own id is none: it counts the regions of one buffer, and many elements
  /// leave it at 0.
  std::optional<std::uint64_t> object;
  int roi = -1;                    ///< which of the buffer's ROI metas, from 0; -1: none
  std::optional<guint> detection;  ///< id of the detection in the relation meta
};

/// Every GstVideoRegionOfInterestMeta in order; then, with GStreamer >= 1.24, every
/// object-detection that is not one of them. A detection and an ROI are one region when they have
/// the same id and, to a pixel, the same rectangle. Rectangles are pixels of the picture that
/// map_frame() shows, which has the caps' width and height.
std::vector<Region> find_regions(GstBuffer* buffer, int width, int height);

/// Which regions are to be classified.
struct RegionFilter {
  std::vector<GQuark> classes;        ///< empty: all
  int min_width = 1, min_height = 1;  ///< pixels, of the part inside the picture
};
/// "face, car": names between commas, spaces around them ignored, upper and lower case told apart.
/// Nothing but commas and spaces: all classes.
std::vector<GQuark> parse_classes(std::string_view list);

/// Why a region is not classified: "object-class" (it is none of this element's business and gets
/// no result), "outside" (of the picture, or empty), "too-small". Empty: it is.
std::string_view left_out_reason(const Region& region, const RegionFilter& filter);

/// Puts a result on a region, as readers of DL Streamer's and of GStreamer's metas expect it; an
/// older one of the same element makes room, that of others stays. Without labels it says only why.
/// - On the ROI meta, a parameter named after the weights, with the fields of docs/element.md.
/// - On the detection, a classification: add_region_analytics().
/// `batch_slot`: place in the batch, from 0. Nothing happens where the region is not there any
/// more. The buffer must be writable.
void attach_to_region(GstBuffer* buffer, const Region& region, const ModelIdentity& identity,
                      const FrameResult& result, int batch_slot = 0);

}  // namespace tv
