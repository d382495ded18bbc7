#include "checker/report.h"

#include "common/one_line.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bank::checker {
namespace {

std::string Seconds(int64_t ns) {
  return fmt::format("{}.{:09}", ns / 1'000'000'000, ns % 1'000'000'000);
}

std::string Table(const std::vector<Operation>& operations, const AccountNames& names) {
  std::string out = fmt::format("  {:>8}  {:>20}  {:>20}  {}\n", "position", "invoked (s)",
                                "over (s)", "process:operation");
  for (const Operation& op : operations) {
    out +=
        fmt::format("  {:>8}  {:>20}  {:>20}  {}\n",
                    !op.has_index  ? std::string("-")
                    : op.is_read() ? fmt::format("<={}", op.index)
                                   : std::to_string(op.index),
                    Seconds(op.invoke_ns), op.return_ns == kNever ? "never" : Seconds(op.return_ns),
                    Describe(op, names));
  }
  return out;
}

// What the operations shown rest on.
std::string Basis(const Violation& violation, const AccountNames& names) {
  std::string out;
  if (violation.has_initial) {
    out += "  at first:";
    for (const auto& [account, balance] : violation.initial.balances) {
      out += fmt::format("{} {} {}", out.ends_with(':') ? "" : ",", ShownName(names.name(account)),
                         balance);
    }
    out += violation.initial.balances.empty() ? " no account\n" : "\n";
  }
  for (const Digest& digest : violation.digests) {
    out += fmt::format("  branch {} at {}: state {}", digest.branch, digest.log_index,
                       OneLine(digest.state, 40));
    if (digest.accounts >= 0) out += fmt::format(", {} accounts", digest.accounts);
    if (digest.has_balance_total) out += fmt::format(", {} in all", digest.balance_total);
    out += "\n";
  }
  return out;
}

}  // namespace

std::string TableReport(const Judgement& judgement, int64_t elapsed_ms) {
  std::string out = fmt::format("verdict  {}\n", VerdictName(judgement.verdict));
  out += fmt::format("method   {}, {} operations in {} ms\n", judgement.method,
                     judgement.operations, elapsed_ms);
  if (!judgement.undecided_because.empty()) out += "because  " + judgement.undecided_because + "\n";
  if (judgement.last_index != 0)
    out += fmt::format("order    up to position {}, {} held by no recorded operation\n",
                       judgement.last_index, judgement.unheld_positions);
  if (judgement.placed != 0) {
    out += fmt::format("unknown  {} operations of unknown outcome must have happened\n",
                       judgement.placed);
  }
  if (judgement.branches != 0) {
    out += fmt::format("digests  {} branches compared\n", judgement.branches);
  }
  out += fmt::format("\n{:<9} {:>10} {:>10} {:>10} {:>10}\n", "", "ok", "refused", "fail", "info");
  for (int i = 0; i < kOpKinds; ++i) {
    const Counts& c = judgement.counts[static_cast<size_t>(i)];
    if (c.ok + c.refused + c.fail + c.info == 0) continue;
    out += fmt::format("{:<9} {:>10} {:>10} {:>10} {:>10}\n", OpKindName(static_cast<OpKind>(i)),
                       c.ok, c.refused, c.fail, c.info);
  }
  for (const std::string& note : judgement.notes) out += "note     " + note + "\n";
  size_t number = 0;
  for (const Violation& violation : judgement.violations) {
    out += fmt::format("\nviolation {} ({}): {}\n", ++number, ViolationKindName(violation.kind),
                       violation.why);
    if (!violation.operations.empty()) out += Table(violation.operations, judgement.names);
    out += Basis(violation, judgement.names);
    for (const std::string& hint : violation.hints) out += "  - " + hint + "\n";
  }
  return out;
}

std::string JsonReport(const Judgement& judgement, int64_t elapsed_ms) {
  nlohmann::ordered_json report;
  report["verdict"] = VerdictName(judgement.verdict);
  report["method"] = judgement.method;
  if (!judgement.undecided_because.empty()) report["because"] = judgement.undecided_because;
  report["operations"] = judgement.operations;
  report["elapsed_ms"] = elapsed_ms;
  report["last_index"] = judgement.last_index;
  report["unheld_positions"] = judgement.unheld_positions;
  report["unknown_placed"] = judgement.placed;
  report["branches"] = judgement.branches;
  report["window_peak"] = judgement.window_peak;
  report["passes"] = judgement.passes;
  for (int i = 0; i < kOpKinds; ++i) {
    const Counts& c = judgement.counts[static_cast<size_t>(i)];
    report["counts"][std::string(OpKindName(static_cast<OpKind>(i)))] = {
        {"ok", c.ok}, {"refused", c.refused}, {"fail", c.fail}, {"info", c.info}};
  }
  report["notes"] = judgement.notes;
  report["violations"] = nlohmann::ordered_json::array();
  for (const Violation& violation : judgement.violations) {
    nlohmann::ordered_json item;
    item["kind"] = ViolationKindName(violation.kind);
    item["why"] = violation.why;
    item["hints"] = violation.hints;
    if (violation.has_initial) {
      item["initial"] = nlohmann::ordered_json::object();
      for (const auto& [account, balance] : violation.initial.balances) {
        item["initial"][judgement.names.name(account)] = balance;
      }
    }
    for (const Digest& digest : violation.digests) {
      nlohmann::ordered_json d = {
          {"branch", digest.branch}, {"log_index", digest.log_index}, {"state", digest.state}};
      if (!digest.history.empty()) d["history"] = digest.history;
      if (digest.accounts >= 0) d["accounts"] = digest.accounts;
      if (digest.has_balance_total) d["balance_total"] = digest.balance_total;
      item["digests"].push_back(std::move(d));
    }
    item["operations"] = nlohmann::ordered_json::array();
    for (const Operation& op : violation.operations) {
      nlohmann::ordered_json o;
      o["process"] = op.process;
      o["id"] = op.id;
      o["session"] = op.session;
      o["sequence"] = op.sequence;
      o["op"] = OpKindName(op.kind);
      o["account"] = judgement.names.name(op.account);
      if (op.to != kNoAccount) o["to"] = judgement.names.name(op.to);
      o["amount"] = op.amount;
      o["type"] = op.fate == Fate::kOk ? "ok" : op.fate == Fate::kFail ? "fail" : "info";
      if (op.fate == Fate::kOk) o["result"] = AnswerName(op.answer);
      if (op.has_balance) o["balance"] = op.balance;
      if (op.has_index) o["index"] = op.index;
      o["invoke_ns"] = op.invoke_ns;
      if (op.return_ns != kNever) o["return_ns"] = op.return_ns;
      item["operations"].push_back(std::move(o));
    }
    report["violations"].push_back(std::move(item));
  }
  return report.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace bank::checker
