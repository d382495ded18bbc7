// The window against a std::map that does the same the slow way: random inserts in any order,
// look-ups and rising floors, also where sequence numbers end.
#include "branch/ledger/window.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>

namespace bank::ledger {
namespace {

Remembered RecordAt(uint64_t position) {
  Remembered record;
  record.position = Position(position);
  return record;
}

void CompareWithMap(uint64_t floor, uint64_t seed) {
  std::mt19937_64 random(seed);
  Window window(floor);
  std::map<uint64_t, uint64_t> model;  // sequence -> position
  uint64_t position = 0;
  for (int step = 0; step < 3'000; ++step) {
    const uint64_t room = std::numeric_limits<uint64_t>::max() - window.floor();
    const uint64_t sequence = window.floor() + std::min(room, random() % 64);
    const Remembered* found = window.Find(sequence);
    const auto expected = model.find(sequence);
    ASSERT_EQ(found != nullptr, expected != model.end()) << "sequence " << sequence;
    if (found != nullptr) {
      ASSERT_EQ(found->position.value, expected->second);
    } else {
      window.Insert(sequence, RecordAt(++position));
      model.emplace(sequence, position);
    }
    if (random() % 4 == 0) {
      const uint64_t raised = window.floor() + std::min(room, random() % 8);
      std::vector<uint64_t> forgotten;
      window.RaiseFloor(raised, [&](uint64_t s, const Remembered& r) {
        EXPECT_EQ(model.at(s), r.position.value);
        forgotten.push_back(s);
      });
      const auto end = model.lower_bound(raised);
      ASSERT_EQ(forgotten.size(), static_cast<size_t>(std::distance(model.begin(), end)));
      model.erase(model.begin(), end);
    }
    ASSERT_EQ(window.records().size(), model.size());
  }
  auto it = model.begin();
  for (const Remembered& record : window.records()) {
    EXPECT_EQ(window.SequenceOf(record), it->first);
    EXPECT_EQ(record.position.value, (it++)->second);
  }
}

TEST(Window, AgreesWithAMap) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    CompareWithMap(1, seed);
    CompareWithMap((uint64_t{1} << 32) - 500, seed);
    CompareWithMap(std::numeric_limits<uint64_t>::max() - 2'000, seed);
  }
}

TEST(Window, AFloorNeverFalls) {
  Window window(10);
  window.RaiseFloor(3, [](uint64_t, const Remembered&) { FAIL(); });
  EXPECT_EQ(window.floor(), 10u);
}

TEST(Window, AWildSequenceCostsOneRecord) {
  Window window(1);
  window.Insert(kSessionWindowLimit, RecordAt(1));
  window.Insert(5, RecordAt(2));
  EXPECT_EQ(window.records().size(), 2u);
  EXPECT_EQ(window.Find(5)->position.value, 2u);
  EXPECT_EQ(window.Find(kSessionWindowLimit)->position.value, 1u);
}

}  // namespace
}  // namespace bank::ledger
