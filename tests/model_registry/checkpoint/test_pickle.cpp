#include <array>
#include <limits>
#include <set>

#include "model_registry/checkpoint/globals.hpp"
#include "model_registry/checkpoint/pickle.hpp"
#include "tests/model_registry/checkpoint/support.hpp"

namespace {

using namespace tv::checkpoint;
using namespace std::string_literals;

struct Run {
  Heap heap;
  tv::Result<Value> value = Value::none();
  std::size_t consumed = 0;
};

// Views in the heap point into `stream`: keep it.
std::unique_ptr<Run> run(const std::string& stream, Budget budget = Budget()) {
  auto out = std::make_unique<Run>();
  const Place place{"x.pth", "data.pkl", 0};
  PickleMachine machine(std::as_bytes(std::span(stream)), place, out->heap, budget, nullptr);
  out->value = machine.run();
  out->consumed = machine.consumed();
  return out;
}

std::string error_of(const std::string& body) {
  const auto result = run("\x80\x02"s + body);
  ck_assert_msg(!result->value, "accepted");
  return result->value.error().what;
}

Value value_of(const std::string& stream) {
  const auto result = run(stream);
  ck_assert_msg(static_cast<bool>(result->value), "%s",
                result->value ? "" : result->value.error().what.c_str());
  ck_assert_uint_eq(result->consumed, stream.size());
  return *result->value;
}

START_TEST(numbers) {
  const struct {
    std::string opcodes;
    std::int64_t expected;
  } kRows[] = {
      {"K\xff", 255},
      {"M\xff\xff", 65535},
      {"J\xff\xff\xff\xff", -1},
      {"J\x00\x00\x00\x80"s, -2147483648LL},
      {"\x8a\x00"s, 0},
      {"\x8a\x01\xff", -1},
      {"\x8a\x02\xff\x00"s, 255},
      {"\x8a\x05\x00\x00\x00\x00\x01"s, 4294967296LL},
      {"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80"s, std::numeric_limits<std::int64_t>::min()},
  };
  for (const auto& row : kRows) {
    const std::string stream = "\x80\x02"s + row.opcodes + ".";
    const Value value = value_of(stream);
    ck_assert(value.kind == Kind::kInt);
    ck_assert_int_eq(value.integer, row.expected);
  }
  const Value real = value_of("\x80\x02G\x3f\xf8\x00\x00\x00\x00\x00\x00."s);
  ck_assert(real.kind == Kind::kFloat && real.real == 1.5);
}
END_TEST

START_TEST(containers) {
  // {"a": [1, None], 2: (True, False)} with everything memoised
  const std::string stream =
      "\x80\x02}q\x00(X\x01\x00\x00\x00"
      "aq\x01]q\x02(K\x01Ne"
      "K\x02\x88\x89\x86u."s;
  const auto result = run(stream);
  ck_assert(static_cast<bool>(result->value));
  ck_assert((*result->value).kind == Kind::kDict);
  const auto& items = result->heap.dicts[(*result->value).index].items;
  ck_assert_uint_eq(items.size(), 2);
  ck_assert(items[0].first.string() == "a");
  ck_assert_uint_eq(result->heap.size(items[0].second), 2);
  ck_assert_int_eq(result->heap.item(items[0].second, 0).integer, 1);
  ck_assert_int_eq(items[1].first.integer, 2);
  ck_assert(items[1].second.kind == Kind::kTuple && items[1].second.length == 2);
  ck_assert(!result->heap.dicts[0].ordered);
}
END_TEST

START_TEST(memo_gives_the_same_container) {
  const std::string stream = "\x80\x02]q\x05h\x05h\x05\x87."s;
  const auto result = run(stream);
  ck_assert(static_cast<bool>(result->value));
  const Value& tuple = *result->value;
  ck_assert_uint_eq(result->heap.item(tuple, 0).index, result->heap.item(tuple, 2).index);
  ck_assert_uint_eq(result->heap.lists.size(), 1);
}
END_TEST

// Every opcode byte, right behind PROTO and with nothing on the stack: only those that need nothing
// pass, and each of the others is answered by its own name or by what it misses.
START_TEST(all_opcodes) {
  int refused = 0, accepted = 0, starved = 0;
  for (int code = 0; code < 256; ++code) {
    const char byte = static_cast<char>(code);
    const auto result = run("\x80\x02"s + byte + std::string(16, '\0') + ".");
    if (result->value) {
      ++accepted;
      continue;
    }
    const std::string& what = result->value.error().what;
    if (what.find("refused opcode " + opcode_text(static_cast<std::uint8_t>(code))) !=
        std::string::npos)
      ++refused;
    else
      ++starved;
  }
  // Zeros follow, and no opcode is 0: what pushes a value is refused at the first of them that is
  // no operand.
  ck_assert_int_eq(accepted, 0);
  ck_assert_int_eq(refused + starved, 256);
  // 33 opcodes and STOP have a meaning; all others must be refused by name.
  ck_assert_int_eq(refused, 256 - 34);
}
END_TEST

START_TEST(opcode_names_in_errors) {
  tv::test::expect_equal(opcode_text(0x93), "STACK_GLOBAL (0x93)");
  tv::test::expect_equal(opcode_text('.'), "STOP (0x2e)");
  tv::test::expect_equal(opcode_text(0xFE), "unknown (0xfe)");
  tv::test::expect_equal(error_of("N\x93."),
                         "x.pth: data.pkl, offset 3: refused opcode STACK_GLOBAL (0x93)");
  tv::test::expect_equal(error_of("cos\nsystem\n."),
                         "x.pth: data.pkl, offset 2: refused global \"os.system\"");
}
END_TEST

START_TEST(names_in_errors_are_escaped) {
  tv::test::expect_equal(error_of("ca\"\\\x01\nb\xff\n."),
                         "x.pth: data.pkl, offset 2: refused global \"a\\\"\\\\\\x01.b\\xff\"");
  tv::test::expect_equal(tv::checkpoint::quoted("\xc3\xa9\n"), "\"\xc3\xa9\\x0a\"");
  tv::test::expect_equal(tv::checkpoint::quoted(std::string(81, 'a')),
                         ("\"" + std::string(80, 'a') + "\"..."));
}
END_TEST

START_TEST(utf8) {
  for (const char* good : {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf",
                           "\xf4\x8f\xbf\xbf"})
    ck_assert_msg(valid_utf8(good), "%s", good);
  for (const char* bad :
       {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "a\xe2\x28\xa1"})
    ck_assert_msg(!valid_utf8(bad), "%s", quoted(bad).c_str());
}
END_TEST

// The charge comes before the allocation: with a budget for n values, the n+1st is refused.
START_TEST(budget_bounds_every_container) {
  const std::string many(1000, 'N');
  const std::string kStreams[] = {
      many + ".",          // the stack
      "](" + many + "e.",  // a list
      "(" + many + "t.",   // a tuple
      "N" +
          [] {
            std::string s;
            for (int i = 0; i < 200; ++i) s += "q"s + static_cast<char>(i);
            return s;
          }() +
          ".",
      "](" +
          [] {
            std::string s;
            for (int i = 0; i < 300; ++i) s += "}";
            return s;
          }() +
          "e.",
      "}(" +
          [] {
            std::string s;
            for (int i = 0; i < 250; ++i) s += "K\x01N";
            return s;
          }() +
          "u.",
      std::string(1000, '('),
  };
  for (const std::string& body : kStreams) {
    const auto result = run("\x80\x02" + body, Budget(3000));
    ck_assert(!result->value);
    ck_assert_msg(
        result->value.error().what.find("MiB beyond the file's own size") != std::string::npos,
        "%s", result->value.error().what.c_str());
  }
}
END_TEST

START_TEST(budget_is_exact) {
  Budget budget(10);
  ck_assert(budget.charge(4));
  ck_assert(!budget.charge(7));
  ck_assert(budget.charge(6));
  ck_assert(!budget.charge(1));
  ck_assert(budget.charge(0));
}
END_TEST

START_TEST(allow_list) {
  std::set<std::string> names;
  for (const GlobalRow& row : allowed_globals()) {
    const std::string name = std::string(row.module) + "." + std::string(row.name);
    ck_assert_msg(names.insert(name).second, "%s is there twice", name.c_str());
    const bool known = name.starts_with("torch.") || name == "collections.OrderedDict" ||
                       name == "argparse.Namespace";
    ck_assert_msg(known, "%s", name.c_str());
    ck_assert_int_ge(find_global(row.module, row.name), 0);
  }
  ck_assert_int_eq(find_global("torch", "load"), -1);
  ck_assert_int_eq(find_global("torch._utils", "_rebuild_tensor_v3"), -1);
  ck_assert_int_eq(find_global("argparse", "ArgumentParser"), -1);
  ck_assert_int_eq(find_global("", ""), -1);
  ck_assert(storage_class(tv::DType::kFloat32) == "FloatStorage");
  for (int i = 0; i <= static_cast<int>(tv::DType::kQInt32); ++i)
    ck_assert(!storage_class(static_cast<tv::DType>(i)).empty());
}
END_TEST

}  // namespace

Suite* pickle_suite() {
  return tv::test::make_suite("pickle", 60, numbers, containers, memo_gives_the_same_container,
                              all_opcodes, opcode_names_in_errors, names_in_errors_are_escaped,
                              utf8, budget_bounds_every_container, budget_is_exact, allow_list);
}
