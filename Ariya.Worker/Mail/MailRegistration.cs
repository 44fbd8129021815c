using Ariya.Worker.Mail.NewSignIn;
using Ariya.Worker.Mail.OldSignInUsed;
using Ariya.Worker.Mail.PasswordChanged;
using Ariya.Worker.Mail.PasswordReset;
using Ariya.Worker.Mail.Registration;
using Ariya.Worker.Mail.Welcome;

namespace Ariya.Worker.Mail;

internal static class MailRegistration
{
    /// <exception cref="InvalidOperationException">No relay is named and this is not Development.</exception>
    public static void AddMail(this IHostApplicationBuilder builder)
    {
        builder.Services.AddScoped<MailPreparation>();
        builder.Services.AddScoped<RegistrationMail>();
        builder.Services.AddScoped<WelcomeMail>();
        builder.Services.AddScoped<PasswordResetMail>();
        builder.Services.AddScoped<PasswordChangedMail>();
        builder.Services.AddScoped<NewSignInMail>();
        builder.Services.AddScoped<OldSignInUsedMail>();
        if (SmtpSettings.Read(builder.Configuration) is { } settings)
        {
            builder.Services.AddSingleton<IMailTransport>(services => new SmtpTransport(settings, services.GetRequiredService<TimeProvider>()));
        }
        else if (builder.Environment.IsDevelopment())
        {
            builder.Services.AddSingleton<IMailTransport>(new ConsoleTransport(Console.Out));
        }
        else
        {
            throw new InvalidOperationException("SMTP_HOST is not set: outside Development the worker needs a relay.");
        }
    }
}
