// The least that answers a request with this framework: the same bytes each time.
var builder = WebApplication.CreateBuilder(args);
// As a new project's appsettings.json has it: without it every request is two lines.
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
var body = System.Text.Encoding.UTF8.GetBytes(builder.Configuration["BODY"] ?? "{}");
var app = builder.Build();
app.MapGet("/account", () => Results.Bytes(body, "application/json; charset=utf-8"));
app.Run();
