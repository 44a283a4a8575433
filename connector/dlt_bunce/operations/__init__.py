"""Operations besides plain loads: adopt, replay, estimate, and diagnose."""
