#include "checker/course/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_replace.h"
#include "common/one_line.h"
#include "fmt/format.h"

namespace bank::checker::course {
namespace {

std::string OrderName(Order order) {
  return order == Order::kSequential  ? "sequential"
         : order == Order::kConverged ? "converged"
                                      : "concurrent";
}

std::string VerdictOf(const Graded& graded) {
  return graded.read.ok() ? MarkName(graded.grade.mark) : "unreadable";
}

// Never 100 as long as something is wrong.
size_t PercentOf(const Grade& grade) {
  if (grade.values == 0) return grade.mark == Mark::kWrong ? 0 : 100;
  const size_t percent = grade.values_right * 100 / grade.values;
  return grade.mark == Mark::kWrong ? std::min<size_t>(percent, 99) : percent;
}

std::string FaultLine(const Fault& fault) {
  return fault.place.empty() ? fault.what : fault.place + ": " + fault.what;
}

// What there is to say of it on one line; "": nothing.
std::string FirstWord(const Graded& graded) {
  if (!graded.read.ok()) {
    const std::string message(graded.read.message());
    const std::string name = graded.name + ": ";
    return message.starts_with(name) ? message.substr(name.size()) : message;
  }
  if (!graded.grade.faults.empty()) return FaultLine(graded.grade.faults.front());
  return graded.grade.undecided_because;
}

std::string NameOf(const Graded& graded) {
  const std::string name = OneLine(graded.name);
  return graded.files == 1 ? name : fmt::format("{} (and {} more)", name, graded.files - 1);
}

std::string Options(const CourseOptions& options) {
  std::string out = std::string(script::ProjectName(options.project));
  if (options.project == script::Project::kLogicalClocks) {
    if (options.strict) out += ", strict";
  } else {
    out += ", " + OrderName(options.order);
  }
  if (options.sessions) out += ", sessions";
  return out;
}

std::string Alone(const Graded& graded, const CourseOptions& options) {
  const Grade& grade = graded.grade;
  std::string out = fmt::format("verdict  {}\noutput   {}\njudged   {}\n", VerdictOf(graded),
                                NameOf(graded), Options(options));
  if (!graded.read.ok()) return out;
  out += fmt::format("values   {} of {} right\n", grade.values_right, grade.values);
  if (!grade.undecided_because.empty()) out += "because  " + grade.undecided_because + "\n";
  for (const std::string& note : grade.notes) out += "note     " + note + "\n";
  size_t number = 0;
  for (const Fault& fault : grade.faults) {
    out += fmt::format("\nfault {}: {}\n", ++number, FaultLine(fault));
    for (const std::string& event : fault.events) out += "  - " + event + "\n";
  }
  return out;
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == text.npos) return text;
  return "\"" + absl::StrReplaceAll(text, {{"\"", "\"\""}}) + "\"";
}

}  // namespace

std::string CourseTable(const std::vector<Graded>& all, const CourseOptions& options) {
  if (all.size() == 1) return Alone(all.front(), options);
  size_t width = 6;
  for (const Graded& graded : all) width = std::max(width, NameOf(graded).size());
  std::string out = fmt::format("{:<{}}  {:<10}  {:>11}  {:>5}  {:>6}  {}\n", "output", width,
                                "verdict", "right", "share", "faults", "first fault");
  for (const Graded& graded : all) {
    const Grade& grade = graded.grade;
    const bool read = graded.read.ok();
    std::string line = fmt::format(
        "{:<{}}  {:<10}  {:>11}  {:>5}  {:>6}  {}", NameOf(graded), width, VerdictOf(graded),
        read ? fmt::format("{}/{}", grade.values_right, grade.values) : "-",
        read ? fmt::format("{}%", PercentOf(grade)) : "-",
        read ? std::to_string(grade.faults.size()) : "-", OneLine(FirstWord(graded), 100));
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string CourseCsv(const std::vector<Graded>& all) {
  std::string out = "output,verdict,values,right,share,faults,first_fault\n";
  for (const Graded& graded : all) {
    const Grade& grade = graded.grade;
    const std::string first = OneLine(FirstWord(graded), 300);
    if (graded.read.ok()) {
      out += fmt::format("{},{},{},{},{},{},{}\n", CsvField(NameOf(graded)), VerdictOf(graded),
                         grade.values, grade.values_right, PercentOf(grade), grade.faults.size(),
                         CsvField(first));
    } else {
      out += fmt::format("{},unreadable,,,,,{}\n", CsvField(NameOf(graded)), CsvField(first));
    }
  }
  return out;
}

std::string CourseJson(const std::vector<Graded>& all, const CourseOptions& options) {
  nlohmann::ordered_json report = {{"project", static_cast<int>(options.project)}};
  if (options.project == script::Project::kLogicalClocks) {
    report["strict"] = options.strict;
  } else {
    report["order"] = OrderName(options.order);
    report["sessions"] = options.sessions;
  }
  report["outputs"] = nlohmann::ordered_json::array();
  for (const Graded& graded : all) {
    nlohmann::ordered_json item = {{"output", graded.name}, {"verdict", VerdictOf(graded)}};
    if (!graded.read.ok()) {
      item["because"] = std::string(graded.read.message());
    } else {
      const Grade& grade = graded.grade;
      item["values"] = grade.values;
      item["right"] = grade.values_right;
      item["share"] = PercentOf(grade);
      if (!grade.undecided_because.empty()) item["because"] = grade.undecided_because;
      item["notes"] = grade.notes;
      item["faults"] = nlohmann::ordered_json::array();
      for (const Fault& fault : grade.faults) {
        item["faults"].push_back(
            {{"place", fault.place}, {"what", fault.what}, {"events", fault.events}});
      }
    }
    report["outputs"].push_back(std::move(item));
  }
  return report.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace bank::checker::course
