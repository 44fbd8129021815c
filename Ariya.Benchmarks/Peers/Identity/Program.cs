using Ariya.Data.Passwords;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Identity.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;

// ASP.NET Core's own accounts, as its documentation sets them up, on PostgreSQL, with pooled contexts; and with Ariya's hashes, so that both pay the same
// for a password.
var builder = WebApplication.CreateBuilder(args);
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning).AddFilter("Microsoft.EntityFrameworkCore", LogLevel.Warning);
builder.Services.AddDbContextPool<AccountsContext>(options => options.UseNpgsql(builder.Configuration.GetConnectionString("accounts")));
builder.Services.AddAuthorization();
builder.Services.AddIdentityApiEndpoints<IdentityUser>().AddEntityFrameworkStores<AccountsContext>();
builder.Services.AddSingleton<IPasswordHasher<IdentityUser>, SameCostHasher>();
var app = builder.Build();
await using (var scope = app.Services.CreateAsyncScope())
{
    await scope.ServiceProvider.GetRequiredService<AccountsContext>().Database.EnsureCreatedAsync();
}

app.MapIdentityApi<IdentityUser>();
app.Run();

internal sealed class AccountsContext(DbContextOptions<AccountsContext> options) : IdentityDbContext<IdentityUser>(options);

internal sealed class SameCostHasher : IPasswordHasher<IdentityUser>
{
    public string HashPassword(IdentityUser user, string password) => PasswordHash.Create(PasswordHash.Argon2id, password);

    public PasswordVerificationResult VerifyHashedPassword(IdentityUser user, string hashedPassword, string providedPassword) =>
        PasswordHash.Verify(hashedPassword, providedPassword) ? PasswordVerificationResult.Success : PasswordVerificationResult.Failed;
}
