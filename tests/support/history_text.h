// Writes small histories for tests, and reads verdicts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "checker/judge.h"
#include "fmt/format.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace bank::checker {

// One operation of a history to be: everything a test may want to falsify is a plain field.
struct Spec {
  uint64_t process = 1;
  uint64_t id = 1;
  std::string op = "query";
  int64_t amount = 0;
  std::string type = "ok";  // ok, fail, info, or open: no completion
  std::string result = "ok";
  int64_t balance = 0;
  uint64_t index = 0;  // 0: none is written
  int64_t invoke_ns = 0;
  int64_t return_ns = 0;
  std::string account = "shared";
  std::string to = "";
  uint64_t session = 0;
  uint64_t sequence = 0;
  bool replayed = false;
  std::string consistency = "";
  bool has_balance = true;
};

inline std::string HistoryText(const std::vector<Spec>& specs, int64_t initial = 400) {
  std::vector<std::pair<int64_t, std::string>> lines;
  for (const Spec& s : specs) {
    std::string common =
        fmt::format(R"("process":{},"id":{},"session":{},"sequence":{},"op":"{}","account":"{}",)",
                    s.process, s.id, s.session, s.sequence, s.op, s.account);
    if (!s.to.empty()) common += fmt::format(R"("to":"{}",)", s.to);
    common += fmt::format(R"("amount":{},)", s.amount);
    if (!s.consistency.empty()) common += fmt::format(R"("consistency":"{}",)", s.consistency);
    lines.emplace_back(
        s.invoke_ns * 2 + 1,
        fmt::format(R"({{"type":"invoke",{}"branch":1,"ns":{}}})", common, s.invoke_ns));
    if (s.type == "open") continue;
    std::string answer;
    if (s.type == "ok") {
      answer = fmt::format(R"("result":"{}",)", s.result);
      if (s.has_balance) answer += fmt::format(R"("balance":{},)", s.balance);
      if (s.index != 0) answer += fmt::format(R"("index":{},)", s.index);
      if (s.replayed) answer += R"("replayed":true,)";
    }
    lines.emplace_back(s.return_ns * 2 + 2, fmt::format(R"({{"type":"{}",{}{}"branch":1,"ns":{}}})",
                                                        s.type, common, answer, s.return_ns));
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text =
      fmt::format("{{\"type\":\"header\",\"version\":1,\"initial\":{{\"shared\":{}}}}}\n", initial);
  for (const auto& [ns, line] : lines) text += line + "\n";
  return text;
}

// A file of this process alone, until it ends or the name is given again.
inline std::string WriteTemporary(const std::string& name, const std::string& text) {
  static const TempFolder folder;
  const std::string path = folder.Of(name);
  std::remove(path.c_str());  // truncating a file waits for the disk on some file systems
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  return path;
}

inline absl::StatusOr<Judgement> JudgeText(const std::string& text, JudgeOptions options = {}) {
  options.histories = {WriteTemporary("history.jsonl", text)};
  return JudgeHistory(options);
}

// "1:2 3:4": the operations of the first violation, by process and id.
inline std::string Culprits(const Judgement& judgement) {
  std::string out;
  if (judgement.violations.empty()) return out;
  for (const Operation& op : judgement.violations[0].operations) {
    if (!out.empty()) out += " ";
    out += fmt::format("{}:{}", op.process, op.id);
  }
  return out;
}

}  // namespace bank::checker
