// What the load's customers ask: operations drawn from a mix, the same for the same seed. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "customer/history/event.h"

namespace bank::load {

// Weights by history::Op; at least one is above zero.
using Mix = std::array<uint32_t, 5>;
// 'deposit=3,query=1'. InvalidArgument says which part is wrong.
absl::StatusOr<Mix> ParseMix(std::string_view text);

class Source {
 public:
  virtual ~Source() = default;
  // The next operation, or none: then there are no more.
  virtual std::optional<history::Operation> Next() = 0;
};

// Opens every account once with `balance`.
class Opening final : public Source {
 public:
  Opening(const std::vector<std::string>& accounts, int64_t balance)
      : accounts_(accounts), balance_(balance) {}
  std::optional<history::Operation> Next() override;

 private:
  const std::vector<std::string>& accounts_;
  const int64_t balance_;
  size_t next_ = 0;
};

// At most `operations_max` operations on `accounts`, amounts from 1 to `amount_max`.
class Mixed final : public Source {
 public:
  struct Options {
    Mix mix = {};
    uint64_t operations_max = UINT64_MAX;
    int64_t amount_max = 1;
    uint64_t seed = 1;
  };
  Mixed(const std::vector<std::string>& accounts, const Options& options);
  std::optional<history::Operation> Next() override;

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  history::Op Draw();

  const std::vector<std::string>& accounts_;
  const Options options_;
  uint32_t weight_sum_ = 0;
  uint64_t done_ = 0;
  std::mt19937_64 random_;
};

}  // namespace bank::load
