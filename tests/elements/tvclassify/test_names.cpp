// Names that somebody else chose (classes, elements, kinds of regions): whatever is in them, what
// the element says stays well formed and no longer than it has to be.
#include "tests/elements/tvclassify/pipelines.hpp"
#include "tests/elements/tvclassify/stress.hpp"

using namespace tv;
using namespace tv::test;

// clang-format off
/// Of the entry Odd_Weights.GOOD, in order.
static const std::string kClasses[] = {
  R"(say "no", {x=(int)1}; [a, b] \ 'c' <d>)",
  "blü 日本語 🐈 \u202E",
  std::string(256, 'x'),
  "NULL"};

/// Names of elements and kinds of regions, which GStreamer takes as they are.
static const std::string kNames[] = {
  R"(a "b"; c={1, 2}\)",
  "two\nlines\tand \x1b[31m",
  "blü 日本語 🐈",
  std::string(64 << 10, 'n'),
  std::string(32 << 10, '"') + std::string(32 << 10, '\n')};
// clang-format on

/// A structure that went through text and back, as in logs and caps of other programs.
static StructurePtr through_text(const GstStructure* structure, std::size_t most) {
  const GCharPtr text(gst_structure_to_string(structure));
  ck_assert(text && g_utf8_validate(text.get(), -1, nullptr));
  const std::size_t length = std::strlen(text.get());
  ck_assert_msg(length <= most, "%zu bytes of text, not %zu", length, most);
  StructurePtr back(gst_structure_from_string(text.get(), nullptr));
  ck_assert_msg(back != nullptr, "no structure: %.300s", text.get());
  return back;
}

/// The element's only message of each of these names, all others taken from the bus with them.
static std::vector<StructurePtr> posted(Bench& bench, std::initializer_list<const char*> names) {
  std::vector<StructurePtr> found(names.size());
  for (const MessageRef& each : bench.messages(GST_MESSAGE_ELEMENT)) {
    const GstStructure* structure = gst_message_get_structure(each.get());
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!gst_structure_has_name(structure, names.begin()[i])) continue;
      ck_assert_msg(!found[i], "two messages %s", names.begin()[i]);
      found[i].reset(gst_structure_copy(structure));
    }
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    ck_assert_msg(found[i] != nullptr, "no message %s", names.begin()[i]);
  return found;
}

START_TEST(classes_are_said_as_they_are) {
  Bench bench("tvclassify weights=Odd_Weights.GOOD post-messages=true top-k=2");
  for (int red = 0; red < static_cast<int>(std::size(kClasses)); ++red) {
    const std::string& wanted = kClasses[red];
    const Meta meta = read_meta(bench.pass(solid(red)).get());
    ck_assert_uint_eq(meta.labels.size(), 2);
    ASSERT_TEXT(meta.labels[0].label, wanted);
    ASSERT_TEXT(meta.top->label, wanted);
    bench.drain();
    for (const StructurePtr& each : posted(bench, {"tvclassify", "class-changed"})) {
      ASSERT_TEXT(text(each.get(), "label"), wanted);
      const StructurePtr back = through_text(each.get(), 8 << 10);
      ASSERT_TEXT(text(back.get(), "label"), wanted);
    }
  }
}
END_TEST

// Longer ones, and those with control characters, are refused with their file, and the others of
// the folder go on.
START_TEST(classes_that_no_terminal_should_see_are_refused) {
  for (const char* entry : {"NEWLINE", "LONG"}) {
    Pipeline pipeline;
    pipeline.add("tvclassify weights=Odd_Weights." + std::string(entry));
    ck_assert_int_eq(gst_element_set_state(pipeline.get(), GST_STATE_PAUSED),
                     GST_STATE_CHANGE_FAILURE);
    const std::string said = pipeline.error();
    expect_contains(said, entry);
    ck_assert(g_utf8_validate(said.c_str(), -1, nullptr));
    ck_assert_msg(said.find('\n') == std::string::npos && said.size() < 2048, "%s", said.c_str());
  }
}
END_TEST

START_TEST(an_element_may_have_any_name) {
  for (const std::string& name : kNames) {
    Bench bench(kStub + "post-messages=true", "");
    bench.set_state(GST_STATE_NULL);
    ck_assert(gst_object_set_name(GST_OBJECT(bench.element()), name.c_str()));
    bench.set_state(GST_STATE_PLAYING);
    gst_harness_set_src_caps_str(bench.harness(), rgb_caps().c_str());
    ASSERT_TEXT(read_meta(bench.pass(solid(1)).get()).element, name);
    bench.drain();
    const std::vector<StructurePtr> said = posted(bench, {"tvclassify"});
    // An escape is four characters.
    const StructurePtr back = through_text(said[0].get(), 4 * name.size() + (4 << 10));
    ASSERT_TEXT(text(back.get(), "element"), name);
  }
}
END_TEST

// Metas of many frames share what is the same in all of them.
START_TEST(a_long_name_is_not_copied_with_every_frame) {
  Bench bench(kStub, "");
  bench.set_state(GST_STATE_NULL);
  gst_object_set_name(GST_OBJECT(bench.element()), std::string(64 << 10, 'm').c_str());
  bench.set_state(GST_STATE_PLAYING);
  gst_harness_set_src_caps_str(bench.harness(), rgb_caps(16, 4).c_str());
  const auto frame = [] { return plain(1, 16, 4, 0); };
  bench.pass(frame());
  std::vector<BufferRef> held;
  const std::int64_t before = in_use();
  for (int i = 0; i < 100; ++i) held.push_back(bench.pass(frame()));
  const std::int64_t grown = in_use() - before;
  ck_assert_msg(grown < 2 << 20, "%lld bytes for 100 frames", static_cast<long long>(grown));
}
END_TEST

START_TEST(a_kind_of_region_may_have_any_name) {
  Bench bench(kStub + "inference-region=roi-list post-messages=true");
  for (const std::string& name : kNames) {
    BufferRef buffer = solid(1);
    gst_buffer_add_video_region_of_interest_meta(buffer.get(), name.c_str(), 0, 0, 32, 32);
    const BufferRef out = bench.pass(std::move(buffer));
    ASSERT_TEXT(read_meta(out.get()).status, "ok");
    bench.drain();
    const std::vector<StructurePtr> said = posted(bench, {"tvclassify"});
    const StructurePtr back = through_text(said[0].get(), 4 * name.size() + (4 << 10));
    ASSERT_TEXT(text(back.get(), "region-type"), name);
    auto* region = gst_buffer_get_video_region_of_interest_meta_id(out.get(), 0);
    const GstStructure* param =
        gst_video_region_of_interest_meta_get_param(region, "squeezenet1_1");
    ck_assert(param != nullptr);
    through_text(param, 4 << 10);
  }
}
END_TEST

// A field of a structure holds UTF-8 alone, and GStreamer complains of all else.
START_TEST(a_kind_that_is_no_utf8_is_made_so) {
  Bench bench(kStub + "inference-region=roi-list post-messages=true");
  BufferRef buffer = solid(1);
  gst_buffer_add_video_region_of_interest_meta(buffer.get(), "f\xFF\xC3(ce", 0, 0, 32, 32);
  ASSERT_TEXT(read_meta(bench.pass(std::move(buffer)).get()).status, "ok");
  bench.drain();
  const std::vector<StructurePtr> said = posted(bench, {"tvclassify"});
  ASSERT_TEXT(text(said[0].get(), "region-type"), "f\uFFFD\uFFFD(ce");
}
END_TEST

/// An entry of the enum Odd_Weights. Before the tests: nothing is asserted.
static void write_entry(const TempFolder& folder, const char* name, nlohmann::json classes) {
  const nlohmann::json entry = {
      {"enum", "Odd_Weights"},
      {"entry", name},
      {"builder", "squeezenet1_1"},
      {"file", std::string(std::getenv("TV_FIXTURE")) + "/entries/tiny.pth"},
      {"transforms", {{"crop_size", 32}, {"resize_size", 32}}},
      {"categories", std::move(classes)}};
  folder.write(std::string(name) + ".json", entry.dump());
}

static void reset_stub() {
  stub().reset();
}

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify names");
  TCase* all = tcase_create("names");
  tcase_add_checked_fixture(all, reset_stub, reset_stub);
  tcase_add_test(all, classes_are_said_as_they_are);
  tcase_add_test(all, classes_that_no_terminal_should_see_are_refused);
  tcase_add_test(all, an_element_may_have_any_name);
  tcase_add_test(all, a_long_name_is_not_copied_with_every_frame);
  tcase_add_test(all, a_kind_of_region_may_have_any_name);
  tcase_add_test(all, a_kind_that_is_no_utf8_is_made_so);
  suite_add_tcase(suite, all);
  return suite;
}

int main(int argc, char** argv) {
  // Read once, with the first name that is looked up.
  const TempFolder entries;
  write_entry(entries, "GOOD", kClasses);
  write_entry(entries, "NEWLINE", {"a", "b\nc", "d", "e"});
  write_entry(entries, "LONG", {"a", "b", std::string(64 << 10, 'c'), "d"});
  setenv("TV_WEIGHTS_PATH", entries.path().c_str(), 1);
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}
