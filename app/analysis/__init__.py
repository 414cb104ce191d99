"""What runs and their metrics come down to. Pure: no Streamlit, no store."""
