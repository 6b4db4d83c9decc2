// Buffer pools: what upstream is asked for, and what becomes of streams that have few buffers.
#include <deque>

#include "tests/elements/tvclassify/pipelines.hpp"

using namespace tv;
using namespace tv::test;

/// A pool that takes just so many buffers, as hardware has them.
struct StrictPool {
  GstBufferPool parent;
  guint most;
};
struct StrictPoolClass {
  GstBufferPoolClass parent_class;
};
static GType strict_pool_get_type();
G_DEFINE_TYPE(StrictPool, strict_pool, GST_TYPE_BUFFER_POOL)
static gboolean strict_set_config(GstBufferPool* pool, GstStructure* config) {
  guint max = 0;
  gst_buffer_pool_config_get_params(config, nullptr, nullptr, nullptr, &max);
  const guint most = reinterpret_cast<StrictPool*>(pool)->most;
  if (most > 0 && (max == 0 || max > most)) return FALSE;
  return GST_BUFFER_POOL_CLASS(strict_pool_parent_class)->set_config(pool, config);
}
static void strict_pool_class_init(StrictPoolClass* klass) {
  GST_BUFFER_POOL_CLASS(klass)->set_config = strict_set_config;
}
static void strict_pool_init(StrictPool*) {}

/// What downstream answers to an allocation query; min and max 0: no pool.
struct Offer {
  bool pool;  ///< one of its own, not only the wish
  guint min, max;
  static GstPadProbeReturn answer(GstPad*, GstPadProbeInfo* info, gpointer data) {
    GstQuery* query = GST_PAD_PROBE_INFO_QUERY(info);
    if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION) return GST_PAD_PROBE_OK;
    const auto* self = static_cast<const Offer*>(data);
    GstBufferPool* pool = nullptr;
    if (self->pool) {
      pool = GST_BUFFER_POOL(g_object_new(strict_pool_get_type(), nullptr));
      reinterpret_cast<StrictPool*>(pool)->most = self->max;
    }
    if (self->min > 0 || self->max > 0)
      gst_query_add_allocation_pool(query, pool, 64 * 48 * 3, self->min, self->max);
    if (pool) gst_object_unref(pool);
    return GST_PAD_PROBE_HANDLED;
  }
  void add_to(GstPad* pad) const {
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, answer, new Offer(*this),
                      [](gpointer data) { delete static_cast<Offer*>(data); });
  }
};

START_TEST(an_offered_pool_grows_by_what_is_inside) {
  struct Row {
    Offer offered;
    guint min, max;  ///< answered
  };
  const Row rows[] = {{{false, 0, 0}, 5, 0},
                      {{false, 1, 1}, 6, 6},
                      {{false, 2, 0}, 7, 0},
                      {{false, 2, 3}, 7, 8},
                      {{false, 0, 4}, 5, 9},
                      // A pool says what it can do.
                      {{true, 2, 0}, 7, 0},
                      {{true, 2, 2}, 2, 2},
                      {{true, 1, 3}, 3, 3},
                      {{true, 2, 32}, 7, 32}};
  for (const Row& row : rows) {
    Bench bench(kStub + "max-in-flight=5");
    row.offered.add_to(bench.harness()->sinkpad);
    bench.pass(plain(1, 64, 48, 0));
    // It acts at the next start, and so does what is asked for it.
    g_object_set(bench.element(), "max-in-flight", 100, nullptr);
    const CapsRef caps(gst_caps_from_string(rgb_caps().c_str()));
    GstQuery* query = gst_query_new_allocation(caps.get(), TRUE);
    ck_assert(gst_pad_peer_query(bench.harness()->srcpad, query));
    ck_assert_uint_eq(gst_query_get_n_allocation_pools(query), 1);
    GstBufferPool* pool = nullptr;
    guint min = 0, max = 0;
    gst_query_parse_nth_allocation_pool(query, 0, &pool, nullptr, &min, &max);
    ck_assert(row.offered.pool == (pool != nullptr));
    if (pool) gst_object_unref(pool);
    ck_assert_uint_eq(min, row.min);
    ck_assert_uint_eq(max, row.max);
    gst_query_unref(query);
  }
}
END_TEST

/// Keeps the last two buffers of a pad, as a decoder keeps reference frames.
struct Keeper {
  std::deque<BufferRef> kept;  // streaming thread
  static GstPadProbeReturn keep(GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* self = static_cast<Keeper*>(data);
    self->kept.emplace_back(gst_buffer_ref(GST_PAD_PROBE_INFO_BUFFER(info)));
    if (self->kept.size() > 2) self->kept.pop_front();
    return GST_PAD_PROBE_OK;
  }
  static void add_to(GstPad* pad) {
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, keep, new Keeper,
                      [](gpointer data) { delete static_cast<Keeper*>(data); });
  }
};

/// source ! tvclassify ! fakesink that keeps nothing.
struct PooledLine {
  PooledLine(const std::string& settings, NumberedSource* numbered)
      : source(pipeline.add(numbered)),
        element(pipeline.add(kStub + settings)),
        sink(
            pipeline.add(std::string("fakesink sync=false async=false enable-last-sample=false"))) {
    ck_assert(gst_element_link_many(source, element, sink, nullptr));
    out.follow(PadRef(sink, "sink"));
  }
  Record out;
  Pipeline pipeline;
  GstElement *source, *element, *sink;
};

// Of a pool with as many buffers as are asked for the element is filled to the last place, also
// when downstream keeps those that it asked for.
START_TEST(the_asked_for_buffers_are_enough) {
  constexpr guint kDepth = 7;
  NumberedSource* numbered = make_source();
  numbered->pool_of_min = TRUE;
  PooledLine line("max-in-flight=7", numbered);
  const PadRef pad(line.sink, "sink");
  Offer{false, 2, 0}.add_to(pad);
  Keeper::add_to(pad);
  line.pipeline.set_state(GST_STATE_PLAYING);
  for (int round = 0; round < 5; ++round) {
    line.out.wait_for('b', line.out.buffers() + 3);
    stub().hold(1);
    until("all places are taken", [&] { return counter(line.element, "in-flight") == kDepth; });
    stub().hold(0);
  }
  line.pipeline.set_state(GST_STATE_READY);
  assert_consecutive(line.out.all());
}
END_TEST

// clang-format off
static const struct { guint buffers; const char* settings; } kSmallPools[] = {
  {1, "max-in-flight=16"},
  {2, "max-in-flight=16"},
  {2, "max-in-flight=16 batch-size=8"},
  {2, "max-in-flight=16 batch-size=8 batch-timeout=1000000"},
  {3, "max-in-flight=2 batch-size=4 batch-timeout=1000000"},
  {2, "max-in-flight=16 batch-size=8 batch-timeout=60000000000"},
  {2, "max-in-flight=16 batch-size=8 batch-timeout=60000000000 interval=2"},
  {3, "max-in-flight=16 batch-size=3 batch-timeout=60000000000"},
  {2, "max-in-flight=16 latency-mode=live max-latency=1000000"},
  {3, "max-in-flight=1"}};
// clang-format on

// Upstream does not listen: it has few buffers.
START_TEST(a_small_pool_starves_nobody) {
  const auto& row = kSmallPools[_i];
  stub().delay(200);
  NumberedSource* numbered = make_source(60);
  numbered->pool_max = row.buffers;
  PooledLine line(row.settings, numbered);
  line.pipeline.set_state(GST_STATE_PLAYING);
  line.out.wait_for('E', 1);
  int next = 0;
  for (const Passed& each : line.out.all())
    if (each.kind == 'b') ck_assert_int_eq(each.number, next++);
  ck_assert_int_eq(next, 60);
}
END_TEST

// A source that asks a pool for more than it has fails.
START_TEST(a_pool_that_cannot_grow_is_used_as_it_is) {
  for (const guint most : {1U, 2U, 3U}) {
    PooledLine line("max-in-flight=6", make_source(60));
    Offer{true, 1, most}.add_to(PadRef(line.sink, "sink"));
    line.pipeline.set_state(GST_STATE_PLAYING);
    line.pipeline.wait_for(GST_MESSAGE_EOS);
    assert_consecutive(line.out.all());
    ck_assert_int_eq(line.out.buffers(), 60);
  }
}
END_TEST

static void reset_stub() {
  stub().reset();
}

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify pools");
  TCase* all = tcase_create("pools");
  tcase_add_checked_fixture(all, reset_stub, reset_stub);
  tcase_add_test(all, an_offered_pool_grows_by_what_is_inside);
  tcase_add_test(all, the_asked_for_buffers_are_enough);
  tcase_add_loop_test(all, a_small_pool_starves_nobody, 0,
                      static_cast<int>(std::size(kSmallPools)));
  tcase_add_test(all, a_pool_that_cannot_grow_is_used_as_it_is);
  suite_add_tcase(suite, all);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}
