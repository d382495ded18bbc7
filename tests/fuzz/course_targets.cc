#include "checker/course/elements.h"
#include "checker/course/judge.h"
#include "checker/course/report.h"
#include "common/check.h"
#include "common/one_line.h"
#include "tests/fuzz/target.h"

namespace bank::fuzz {
namespace {

using namespace checker::course;

script::Script ScriptOf(std::string_view text) {
  absl::StatusOr<script::Script> script = script::ParseScript("in.json", text);
  BANK_CHECK(script.ok()) << script.status();
  return *std::move(script);
}

const script::Script& ThreeBranches() {
  static const script::Script script =
      ScriptOf(R"([{"id":1,"type":"customer","events":[{"id":1,"interface":"query"}]},)"
               R"({"id":2,"type":"customer","events":[{"id":2,"interface":"deposit","money":170},)"
               R"({"id":3,"interface":"query"}]},)"
               R"({"id":3,"type":"customer","events":[{"id":4,"interface":"withdraw","money":70},)"
               R"({"id":5,"interface":"query"}]},{"id":1,"type":"branch","balance":400},)"
               R"({"id":2,"type":"branch","balance":400},{"id":3,"type":"branch","balance":400}])");
  return script;
}

void CheckGrade(const Grade& grade) {
  constexpr size_t kBytesMax = 1000;
  const auto clean = [](const std::string& text) { return OneLine(text, kBytesMax) == text; };
  BANK_CHECK((grade.mark == Mark::kWrong) == !grade.faults.empty());
  BANK_CHECK(grade.mark != Mark::kUndecided || !grade.undecided_because.empty());
  BANK_CHECK(grade.values_right <= grade.values) << grade.values_right << " of " << grade.values;
  for (const Fault& fault : grade.faults) {
    BANK_CHECK(!fault.what.empty());
    BANK_CHECK(clean(fault.place) && clean(fault.what)) << fault.place << ": " << fault.what;
    for (const std::string& event : fault.events) BANK_CHECK(clean(event)) << event;
  }
}

// Whatever stands in an output, the judge comes to a grade or refuses it in one line, as whatever
// project's; and elements that are read are read again as they are written.
void RunOutput(std::string_view bytes) {
  absl::StatusOr<std::vector<script::Json>> elements = ReadElements("out.json", bytes);
  if (!elements.ok()) return CheckRefusal(elements.status(), "out.json: ");
  const std::string written =
      script::Json(*elements).dump(-1, ' ', true, script::Json::error_handler_t::replace);
  const absl::StatusOr<std::vector<script::Json>> again = ReadElements("out.json", written);
  if (!again.ok()) {  // written as one array they stand one bracket deeper
    BANK_CHECK(again.status().message().find("nested too deeply") != again.status().message().npos)
        << again.status() << ": " << written;
    return;
  }
  const std::string rewritten =
      script::Json(*again).dump(-1, ' ', true, script::Json::error_handler_t::replace);
  BANK_CHECK(rewritten == written) << rewritten << "\n" << written;
  const std::vector<OutputFile> files = {{"out.json", *std::move(elements)}};
  for (const int project : {1, 2, 3}) {
    for (const Order order : {Order::kSequential, Order::kConverged, Order::kConcurrent}) {
      CourseOptions options{.project = static_cast<script::Project>(project), .order = order};
      options.sessions = project == 3 && order == Order::kConverged;
      options.strict = order == Order::kSequential;
      size_t asked = 0;
      const absl::StatusOr<Grade> grade =
          JudgeOutput(ThreeBranches(), files, options, [&asked] { return ++asked > 100; });
      if (grade.ok()) {
        CheckGrade(*grade);
      } else {
        CheckRefusal(grade.status(), "out.json: ");
      }
    }
  }
}

std::vector<std::string> OutputSeeds() {
  return {
      R"([{"id":1,"recv":[{"interface":"query","balance":400}]},{"id":2,"recv":[{"interface":)"
      R"("deposit","result":"success"},{"interface":"query","balance":570}]},{"id":3,"recv":[)"
      R"({"interface":"withdraw","result":"success"},{"interface":"query","balance":500}]}])",
      "[PID 1] {'id': 1, 'recv': [{'interface': 'query', 'result': True, 'money': '500.0'}]}\n"
      "{'id': 2, 'balance': None}\n",
      R"([1,{"id":2,"balance":570},[{"id":"3","balance":5e2}]])",
      R"([{"id":2,"type":"customer","events":[{"customer-request-id":2,"logical_clock":1,)"
      R"("interface":"deposit","comment":"event_sent from customer 2"}]},{"id":2,"type":"branch",)"
      R"("events":[{"customer-request-id":2,"logical_clock":2,"interface":"deposit","comment":)"
      R"("event_recv from customer 2"},{"customer-request-id":2,"logical_clock":3,"interface":)"
      R"("propogate_deposit","comment":"event_sent to branch 1"}]},{"id":1,"type":"branch",)"
      R"("customer-request-id":2,"logical_clock":4,"interface":"propagate_deposit","comment":)"
      R"("event_recv from branch 2"}])",
      R"([{"pid":2,"data":[{"id":2,"name":"deposit_request","clock":2},{"id":2,"name":)"
      R"("deposit_propagate_response","clock":6}]}]{"eventid":2,"data":[{"clock":2,"name":)"
      R"(deposit_request}]}{"event_id":4,"data":[]})",
  };
}

constexpr FuzzTarget kTargets[] = {{"checker_course", RunOutput, OutputSeeds}};

}  // namespace

std::span<const FuzzTarget> CourseTargets() { return kTargets; }

}  // namespace bank::fuzz
